#include "service/json/shape.h"

#include "tests/support/catch.h"

using tokenrelay::json::Shape;

namespace {

std::string chunk(const std::string& content, const std::string& rest = "") {
  return R"({"id":"c","choices":[{"index":0,"delta":{"content":")" + content + R"("},"finish_reason":null}])" + rest +
         "}";
}

Shape learnt(const std::string& text, const std::string& hole) {
  Shape shape;
  shape.learn(text, std::string_view(text).substr(text.find(":\"" + hole + "\"") + 2, hole.size()));
  return shape;
}

}  // namespace

TEST_CASE("a text of the same shape gives its string, and shares it") {
  const Shape shape = learnt(chunk("one"), "one");
  const std::string next = chunk("another \xF0\x9F\x98\x80");
  REQUIRE(shape.match(next));
  CHECK(*shape.match(next) == "another \xF0\x9F\x98\x80");
  CHECK(shape.match(next)->data() > next.data());
  CHECK(shape.match(chunk(""))->empty());
}

TEST_CASE("whatever differs beside the string is for the parser") {
  const Shape shape = learnt(chunk("one"), "one");
  CHECK_FALSE(shape.match(chunk("two", R"(,"usage":null)")));
  CHECK_FALSE(shape.match(chunk("a \\n b")));
  CHECK_FALSE(shape.match(chunk("two").substr(1)));
  CHECK_FALSE(shape.match(chunk("two") + " "));
  CHECK_FALSE(shape.match(""));
  CHECK_FALSE(shape.match(R"({"id":"c","choices":[{"index":0,"delta":{"content":")"));
  CHECK_FALSE(
      shape.match(R"({"id":"c","choices":[{"index":0,"delta":{"content":"x","role":"y"},"finish_reason":null}]})"));
  CHECK_FALSE(Shape().match(chunk("one")));
}

TEST_CASE("OpenAI's padding may differ, nothing else at its place") {
  const Shape shape = learnt(chunk("one", R"(,"obfuscation":"abc")"), "one");
  CHECK(*shape.match(chunk("two", R"(,"obfuscation":"Zz19")")) == "two");
  CHECK(*shape.match(chunk("two", R"(,"obfuscation":"")")) == "two");
  CHECK_FALSE(shape.match(chunk("two", R"(,"obfuscation":"a\"b")")));
  CHECK_FALSE(shape.match(chunk("two", R"(,"obfuscation":"a","error":"x")")));
  CHECK_FALSE(shape.match(chunk("two", R"(,"error":"a")")));
  CHECK_FALSE(shape.match(chunk("two")));
}

TEST_CASE("what is no whole string of the text is not learnt") {
  const std::string text = chunk("one");
  Shape shape;
  shape.learn(text, "one");  // elsewhere in memory
  CHECK_FALSE(shape.match(text));
  shape.learn(text, std::string_view(text).substr(text.find("one"), 2));
  CHECK_FALSE(shape.match(text));
  shape.learn(text, text);
  CHECK_FALSE(shape.match(text));
  const std::string large = chunk(std::string(Shape::max_bytes, 'x'));
  shape.learn(large, std::string_view(large).substr(large.find("xx"), Shape::max_bytes));
  CHECK_FALSE(shape.match(large));
}
