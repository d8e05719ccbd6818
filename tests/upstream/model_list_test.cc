// The names of models in what upstreams answer.
#include "service/upstream/model_list.h"

#include "tests/support/catch.h"

namespace tokenrelay::upstream {
namespace {

using Strings = std::vector<std::string>;

Strings names_in(std::string_view json) {
  const auto names = model_names(json);
  REQUIRE(names);
  return *names;
}

}  // namespace

TEST_CASE("names of models, in each shape of a list", "[model_list]") {
  CHECK(names_in(R"({"object":"list","data":[{"id":"a","object":"model"},{"object":"model","id":"b"}]})") ==
        Strings{"a", "b"});
  CHECK(names_in(R"([{"id":"a"},{"id":"b","name":"B"}])") == Strings{"a", "b"});
  CHECK(names_in(R"({"data":[{"type":"model","id":"claude","display_name":"C"}],"has_more":false})") ==
        Strings{"claude"});
  CHECK(names_in(R"({"models":[{"name":"models/gemini","supportedGenerationMethods":["generateContent","countTokens"]},
                    {"name":"models/embedding","supportedGenerationMethods":["embedContent"]}]})") ==
        Strings{"gemini"});
  CHECK(names_in(R"({"data":[]})").empty());
  CHECK(names_in(R"({"data":[{"id":""},{"id":7},{},"x",null,{"id":"a"}]})") == Strings{"a"});
}

TEST_CASE("what is not a list of models has no names", "[model_list]") {
  for (const char* json :
       {"", "{}", "null", "[", R"({"data":{}})", R"({"error":{"message":"no"}})", R"({"data":[]} x)"}) {
    CHECK_FALSE(model_names(json));
  }
}

TEST_CASE("a list of models is bounded", "[model_list]") {
  std::string json = R"({"data":[{"id":")" + std::string(ModelList::name_bytes + 1, 'n') + R"("})";
  for (size_t i = 0; i < 3000; ++i) json += R"(,{"id":"m)" + std::to_string(i) + "\"}";
  const Strings names = names_in(json + "]}");
  CHECK(names.size() == ModelList::max_models);
  CHECK(names.front() == "m0");
}

}  // namespace tokenrelay::upstream
