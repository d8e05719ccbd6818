#include "service/json/sax.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

#include "service/json/write.h"
#include "tests/support/catch.h"

namespace json = tokenrelay::json;
using json::Reader;
using Kind = Reader::Kind;

namespace {

// Reads anything into a DOM, to compare with nlohmann.
nlohmann::json read(Reader& in) {
  nlohmann::json value;
  switch (in.peek()) {
    case Kind::object:
      value = nlohmann::json::object();
      in.object([&](std::string_view key) {
        const std::string name(key);
        value[name] = read(in);
      });
      break;
    case Kind::array:
      value = nlohmann::json::array();
      in.array([&] { value.push_back(read(in)); });
      break;
    case Kind::string:
      value = std::string(in.string());
      break;
    case Kind::number:
      value = nlohmann::json::parse(std::string(in.number()), nullptr, false);
      break;
    case Kind::boolean:
      value = in.boolean();
      break;
    default:
      in.skip();
  }
  return value;
}

bool accepts(std::string_view text, int depth = 64) {
  std::string scratch;
  Reader in(text, scratch, depth);
  in.skip();
  return in.at_end();
}

std::string string_of(std::string_view text) {
  std::string scratch;
  Reader in(text, scratch);
  const std::string value(in.string());
  CHECK(in.at_end());
  return value;
}

const char* const documents[] = {
    "{}",
    "[]",
    "[[],{}]",
    " { \"a\" : [ 1 , -2.5e+3 , 0 , true , false , null , \"x\" ] , \"b\" : { \"c\" : \"\" } } ",
    R"("\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00")",
    "\"\"",
    "0",
    "-0",
    "1E5",
    "null",
    "true",
    R"({"a\nb":"c\td","e":["\u0041"]})",
};

}  // namespace

TEST_CASE("the reader reads what nlohmann reads") {
  for (const char* text : documents) {
    INFO(text);
    std::string scratch;
    Reader in(text, scratch);
    CHECK(read(in) == nlohmann::json::parse(text));
    CHECK(in.at_end());
    CHECK(accepts(text));
  }
}

TEST_CASE("the reader refuses what is not JSON, and every text cut short") {
  for (const char* bad : {"",      " ",    "{",   "}",     "[1,]", "{\"a\":1,}", "{\"a\"}", "{\"a\":}", "{a:1}",
                          "[1 2]", "01",   "1.",  "+1",    "-",    "1e",         "nul",     "truth",    "fals",
                          "\"",    "\"\\", "\"a", "[\"\\", "{}x",  "{} {}",      "<html>",  "[1,2}",    "'a'"}) {
    INFO(bad);
    CHECK_FALSE(accepts(bad));
  }
  const std::string whole = R"({"a":[1,{"b":"c\u00e9"}],"d":null})";
  for (size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(accepts(whole.substr(0, size)));
  CHECK(accepts(whole));
}

TEST_CASE("errors stick") {
  std::string scratch;
  Reader in("[1,x,3]", scratch);
  int calls = 0;
  in.array([&] {
    ++calls;
    in.number();
  });
  CHECK_FALSE(in.ok());
  CHECK(calls == 2);
  CHECK(in.string() == "");
  CHECK(in.peek() == Kind::nothing);
  CHECK_FALSE(in.at_end());
}

TEST_CASE("the reader bounds depth") {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(accepts(nested(64)));
  CHECK_FALSE(accepts(nested(66)));
  CHECK_FALSE(accepts(std::string(200 << 10, '[')));
  CHECK(accepts("[[],[],[{}],{\"a\":[]}]", 3));
}

TEST_CASE("strings are views unless they have escapes") {
  const std::string text = R"(["plain","esc\n"])";
  std::string scratch;
  Reader in(text, scratch);
  std::vector<std::string_view> got;
  in.array([&] { got.push_back(in.string()); });
  CHECK(got[0].data() == text.data() + 2);
  CHECK(got[1] == "esc\n");
  CHECK(got[1].data() == scratch.data());
}

TEST_CASE("lone surrogates come out as three bytes") {
  CHECK(string_of(R"("a\ud83d")") == "a\xED\xA0\xBD");
  CHECK(string_of(R"("\ude00b")") ==
        "\xED\xB8\x80"
        "b");
  CHECK(string_of(R"("\ud83d\ud83d\ude00")") == "\xED\xA0\xBD\xF0\x9F\x98\x80");
  CHECK(string_of(R"("\ud83dA")") ==
        "\xED\xA0\xBD"
        "A");
  CHECK(string_of(R"("\uD83D\n")") == "\xED\xA0\xBD\n");
  for (const char* bad : {R"("\u12")", R"("\u12g4")", R"("\ud83d\u12")", R"("\x")", R"("\u-123")", R"("\u+123")"}) {
    std::string scratch;
    Reader in(bad, scratch);
    in.string();
    INFO(bad);
    CHECK_FALSE(in.ok());
  }
}

TEST_CASE("values of another kind are skipped, not mistaken") {
  std::string scratch;
  Reader in(R"({"a":{"x":[1]},"b":"5","c":7,"d":1.5,"e":99999999999999999999})", scratch);
  in.object([&](std::string_view key) {
    if (key == "a")
      CHECK(in.string() == "");
    else if (key == "b")
      CHECK_FALSE(in.integer());
    else if (key == "c")
      CHECK(in.integer() == 7);
    else
      CHECK_FALSE(in.integer());
  });
  CHECK(in.at_end());
}

TEST_CASE("raw gives a value's own text") {
  std::string scratch;
  Reader in(R"( {"a": [1, "\u00e9"] , "b":2})", scratch);
  std::string raw;
  in.object([&](std::string_view key) {
    if (key == "a") raw = in.raw();
  });
  CHECK(raw == R"([1, "\u00e9"])");
}

TEST_CASE("find the quote at every place of a string") {
  for (size_t size = 0; size < 40; ++size) {
    CHECK(string_of('"' + std::string(size, 'x') + '"') == std::string(size, 'x'));
    CHECK(string_of('"' + std::string(size, 'x') + "\\n\"") == std::string(size, 'x') + "\n");
    CHECK(string_of('"' + std::string(size, '\x22' + 1) + '"').size() == size);
  }
}

TEST_CASE("microseconds per chunk", "[.bench]") {
  const std::string small =
      R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" hello"},"finish_reason":null}]})";
  constexpr int rounds = 1'000'000;
  std::string scratch;
  size_t total = 0;
  const auto measure = [&](const char* name, auto&& work) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < rounds; ++i) work();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    WARN(name << ": " << took.count() / rounds << " us for " << small.size() << " B (" << total << ")");
  };
  measure("Reader", [&] {
    Reader in(small, scratch);
    in.object([&](std::string_view key) {
      if (key != "choices") return;
      in.array([&] {
        in.object([&](std::string_view name) {
          if (name != "delta") return;
          in.object([&](std::string_view part) {
            if (part == "content") total += in.string().size();
          });
        });
      });
    });
  });
  measure("nlohmann DOM", [&] {
    total += nlohmann::json::parse(small)["choices"][0]["delta"]["content"].get_ref<const std::string&>().size();
  });
}
