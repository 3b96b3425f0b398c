/*
 * people.h - who writes what to whom in mkspool's practice incident, and why
 * it is not delivered.  Names and addresses are those reserved for
 * documentation (RFC 2606, 5737): nobody's real network is accused.
 */
#ifndef TESTS_PEOPLE_H
#define TESTS_PEOPLE_H

#include <stddef.h>

struct account {
	const char *login, *helo;
	unsigned char host; /* of its one client in 192.0.2.0/24 */
};

static const struct account spam_account = {
    "anna.keller@victim.example", "User", 0};
static const struct account spam2_account = {
    "ben.ortiz@branch.example", "WIN-7K2", 0};
static const struct account news_account = {
    "news@shop.example", "mailer.shop.example", 30};
static const struct account honest[] = {
    {"office@lawfirm.example", "pc-reception", 41},
    {"m.schmidt@lawfirm.example", "laptop-ms", 42},
    {"info@bakery.example", "kasse1", 50},
    {"orders@bakery.example", "kasse2", 51},
    {"chair@choir.example", "ipad", 60},
    {"t.nguyen@victim.example", "workstation12", 71},
    {"r.silva@victim.example", "workstation14", 72},
    {"support@shop.example", "helpdesk", 31}, {"print-server", "printer3", 80},
    {"dr.meier@practice.example", "praxis", 90}};

static const char *const forged_domains[] = {"parcel-service.example",
    "bank-online.example", "tax-office.example", "cloud-login.example",
    "streaming.example", "phone-bill.example", "lottery.example"};
static const char *const rcpt_domains[] = {"bigmail.example", "webpost.example",
    "freemail.example", "isp-north.example", "isp-south.example",
    "university.example", "city.example", "hospital.example", "factory.example",
    "club.example"};
static const char *const first_names[] = {"anna", "ben", "carla", "david",
    "elena", "felix", "greta", "hugo", "ines", "jonas", "karin", "luis",
    "maria", "nils", "olga", "pavel", "rosa", "stefan", "tina", "viktor"};
static const char *const last_names[] = {"adler", "bauer", "costa", "dubois",
    "evans", "fischer", "garcia", "hansen", "ivanov", "jensen", "kowalski",
    "lopez", "moreau", "novak", "olsen", "peeters", "rossi", "smith"};
static const char *const spam_subjects[] = {
    "Your parcel %u could not be delivered", "Invoice %u is overdue",
    "Mailbox %u will be closed today", "Re: payment %u",
    "=?UTF-8?Q?Letzte_Mahnung_f=C3=BCr_Konto_%u?=",
    "Security alert: new sign-in (case %u)"};
static const char *const honest_subjects[] = {"Meeting on Thursday (%u)",
    "Order %u", "Re: offer %u", "Minutes no. %u",
    "=?UTF-8?B?R3LDvMOfZSBhdXMgZGVtIELDvHJv?= %u", "Appointment %u"};

/* Bodies are made of these: dull enough for spam and for honest mail. */
static const char *const sentences[] = {
    "Thank you for your message of last week.",
    "Please confirm your address within three working days.",
    "Our office is open from nine to five.",
    "The payment has not reached us yet.",
    "You find the details on the page below.",
    "We are sorry for the trouble this may have caused.",
    "Your account will be closed if we do not hear from you.",
    "The parcel is waiting at the depot.",
    "Please do not reply to this message.",
    "Let me know which day would suit you.",
    "The number of your order is given above.",
    "I have attached the minutes as discussed.",
    "Several attempts to reach you have failed.",
    "With kind regards from all of us."};

struct reason { /* why the remote side did not take it */
	const char *status, *mta, *diag, *text;
};
static const struct reason reasons[] = {
    {"4.4.1", NULL, NULL,
	"connect to mx.%s[198.51.100.25]:25: Connection timed out"},
    {"4.7.1", "mx.%s", "451 4.7.1 Too much mail from your address",
	"host mx.%s[198.51.100.26] said: 451 4.7.1 Too much mail from your "
	"address (in reply to RCPT TO command)"},
    {"4.7.0", "mx.%s", "421 4.7.0 Unsolicited mail, try again later",
	"host mx.%s[198.51.100.27] said: 421 4.7.0 Unsolicited mail, try "
	"again later (in reply to end of DATA command)"},
    {"4.4.3", NULL, NULL,
	"Host or domain name not found. Name service error for name=%s "
	"type=MX: Host not found, try again"},
    {"4.2.2", "mx.%s", "452 4.2.2 Mailbox full",
	"host mx.%s[198.51.100.28] said: 452 4.2.2 Mailbox full (in reply to "
	"RCPT TO command)"}};

#endif
