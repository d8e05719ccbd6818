#include "service/surface/content.h"

#include "service/surface/opaque.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using json::Value;
using surface::content_of;
using surface::opaque_part;

namespace {

Value parsed(const char* text) {
  return json::parse(text).value();
}

}  // namespace

TEST_CASE("one plain text is said as a string, everything else as parts") {
  CHECK(content_of(parsed(R"([{"type":"text","text":"a"}])")) == Value("a"));
  const Value marked = parsed(R"([{"type":"text","text":"a","cache_control":{}}])");
  CHECK(content_of(marked) == marked);
  const Value image = parsed(R"([{"type":"image_url","image_url":{"url":"u"}}])");
  CHECK(content_of(image) == image);
  const Value two = parsed(R"([{"type":"text","text":"a"},{"type":"text","text":"b"}])");
  CHECK(content_of(two) == two);
  CHECK(content_of(Value::array()).is_null());
  CHECK(content_of(Value::array(), "") == Value(""));
}

TEST_CASE("what a provider wants back goes to its own kind, as a part, and to no other") {
  struct Case {
    const char *opaque, *kind, *part;
  };
  for (const auto& [opaque, kind, part] : {
           Case{R"({"provider":"anthropic","type":"signature","data":"S"})", "anthropic",
                R"({"type":"thinking","thinking":"so","signature":"S"})"},
           Case{R"({"provider":"anthropic","type":"redacted_thinking","data":"D"})", "anthropic",
                R"({"type":"redacted_thinking","data":"D"})"},
           Case{R"({"provider":"openai-responses","type":"encrypted_reasoning","id":"rs_1","data":"E"})",
                "openai-responses", R"({"type":"reasoning","id":"rs_1","encrypted_content":"E","summary":[]})"},
           Case{R"({"provider":"gemini","type":"thought_signature","data":"T"})", "gemini", "null"},
           Case{R"({"provider":"anthropic","type":"signature","data":"S"})", "openai-responses", "null"},
           Case{R"({"type":"signature","data":"S"})", "anthropic", "null"},
       }) {
    CAPTURE(opaque, kind);
    CHECK(opaque_part(parsed(opaque), kind, "so") == parsed(part));
  }
}
