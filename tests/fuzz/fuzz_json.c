/*
 * fuzz_json.c - JSON taken apart: values lie within the text, an end is an end,
 * and strings fit where they are put.
 */
#include "format/json.h"
#include "fuzz/input.h"

static void check_value(const struct qt_json_value *v, const uint8_t *data,
    size_t size)
{
	const char *from = (const char *)data;
	char small[8], large[4096];
	int64_t i;
	uint64_t u;

	REQUIRE(v->text >= from && v->len <= size &&
	    (size_t)(v->text - from) <= size - v->len);
	if (qt_json_text(v, small, sizeof small))
		REQUIRE(strlen(small) < sizeof small);
	if (qt_json_text(v, large, sizeof large))
		REQUIRE(strlen(large) <= v->len);
	if (qt_json_uint(v, &u))
		REQUIRE(v->type == QT_JSON_NUMBER);
	if (qt_json_int(v, &i) && i < 0)
		REQUIRE(v->text[0] == '-');
	(void)qt_json_is(v, "path");
}

static void walk(const char *text, size_t len, const uint8_t *data,
    size_t size, unsigned depth)
{
	struct qt_json_value key, v;
	struct qt_json j;
	unsigned n = 0;
	int rc = -1;
	bool object;

	if (depth > 4 || len == 0)
		return;
	object = qt_json_open(&j, '{', text, len);
	if (!object && !qt_json_open(&j, '[', text, len))
		return;
	while (n++ < 5000 && (rc = object ? qt_json_member(&j, &key, &v) :
				      qt_json_element(&j, &v)) == 0) {
		if (object)
			check_value(&key, data, size);
		check_value(&v, data, size);
		if (v.type == QT_JSON_OBJECT || v.type == QT_JSON_ARRAY)
			walk(v.text, v.len, data, size, depth + 1);
	}
	REQUIRE(n <= 5000);
	if (rc == 1)
		REQUIRE(j.at == j.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= FUZZ_MAX)
		walk((const char *)data, size, data, size, 0);
	return 0;
}
