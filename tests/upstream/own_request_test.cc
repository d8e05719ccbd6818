// A client's own request: what is set in it, what is added to it, and that the rest keeps its bytes.
#include "service/upstream/own_request.h"

#include "service/json/parse.h"
#include "service/upstream/anthropic/request.h"
#include "service/upstream/chat/request.h"
#include "service/upstream/gemini/request.h"
#include "service/upstream/http_request.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace tokenrelay::upstream;

namespace {

// Members, numbers and orders that a DOM or a translation would change.
const std::string odd = R"("n":1.0,"big":12345678901234567890123,"tiny":1e-400,"\u0061":"\u00e9","z":{"b":1,"a":[ ]})";

ModelRequest own_request(std::string kind, std::string body) {
  ModelRequest request;
  request.model = "real-model";
  request.request_id = "req_1";
  request.own = std::make_shared<const OwnRequest>(OwnRequest{std::move(kind), std::move(body), {}, ""});
  return request;
}

std::string body_after(const std::string& kind, const std::string& body, const std::vector<Turn>& turns) {
  OwnRequest own{kind, body, {}, ""};
  REQUIRE(append_turns(own, turns));
  return own.body;
}

const std::vector<Turn> steered = {{false, "so far"}, {true, "be \"brief\""}};

}  // namespace

TEST_CASE("own request: members are set where they stand, the others keep their bytes") {
  CHECK(with_members(R"({"model":"a", "x" : [1 , 2],"stream":false})", {{"stream", "true"}, {"model", "\"b\""}}) ==
        R"({"model":"b","x":[1 , 2],"stream":true})");
  CHECK(with_members("{}", {{"model", "\"b\""}, {"gone", ""}}) == R"({"model":"b"})");
  CHECK(with_members(R"({"gone":1,"x":null})", {{"gone", ""}}) == R"({"x":null})");
  CHECK(with_members("{" + odd + "}", {}) ==
        R"({"n":1.0,"big":12345678901234567890123,"tiny":1e-400,"a":"\u00e9","z":{"b":1,"a":[ ]}})");
  CHECK(member_of("{" + odd + "}", "n") == "1.0");
  CHECK(member_of("{" + odd + "}", "none").empty());
}

TEST_CASE("own request: it is read as it was stored") {
  const OwnRequest own{"anthropic", "{" + odd + "}", {{"anthropic-beta", "a\"b"}, {"x-app", "cli"}}, "beta=true"};
  const auto read = read_own(own_json(own));
  REQUIRE(read);
  CHECK(read->kind == own.kind);
  CHECK(read->body == own.body);
  CHECK(read->headers == own.headers);
  CHECK(read->query == own.query);
  CHECK_FALSE(read_own("{}"));
  CHECK_FALSE(read_own(R"({"kind":"openai","body":[]})"));
  CHECK_FALSE(read_own(own_json(own) + "x"));
}

TEST_CASE("own request: a chat request, as a stream that counts") {
  const auto body = [](const std::string& members) {
    const ModelRequest request = own_request("openai", R"({"model":"m","messages":[])" + members + "}");
    return openai_own_body(*request.own, request.model);
  };
  const std::string start = R"({"model":"real-model","messages":[])";
  CHECK(body("," + odd + R"(,"stream":false)") ==
        start +
            R"(,"n":1.0,"big":12345678901234567890123,"tiny":1e-400,"a":"\u00e9","z":{"b":1,"a":[ ]},"stream":true,)"
            R"("stream_options":{"include_usage":true}})");
  CHECK(body(R"(,"stream_options":{"include_usage":false,"include_obfuscation":false})") ==
        start + R"(,"stream_options":{"include_usage":true,"include_obfuscation":false},"stream":true})");
  CHECK(body(R"(,"stream_options":null)") == start + R"(,"stream_options":{"include_usage":true},"stream":true})");
  CHECK(without_stream_options(body(R"(,"stream_options":{"a":1},"b":2)")) == start + R"(,"b":2,"stream":true})");
}

TEST_CASE("own request: Messages and generateContent") {
  CHECK(anthropic_body(own_request("anthropic", R"({"system":[],"new":{"x":1.0},"model":"m"})")).value() ==
        R"({"system":[],"new":{"x":1.0},"model":"real-model","stream":true})");
  CHECK(gemini_body(own_request("gemini", R"({"model":"models/m","contents":[],"safetySettings":[]})")).value() ==
        R"({"contents":[],"safetySettings":[]})");
  ModelRequest elsewhere = own_request("gemini", "{}");
  elsewhere.model = "../admin";
  CHECK_FALSE(gemini_body(elsewhere));
}

TEST_CASE("own request: turns are added in the protocol's words") {
  CHECK(body_after("openai", R"({"messages":[{"role":"user","content":"q"} ],"x":1})", steered) ==
        R"({"messages":[{"role":"user","content":"q"} ,{"role":"assistant","content":"so far"},)"
        R"({"role":"user","content":"be \"brief\""}],"x":1})");
  CHECK(body_after("anthropic", R"({"messages":[]})", steered) ==
        R"({"messages":[{"role":"assistant","content":"so far"},{"role":"user","content":"be \"brief\""}]})");
  CHECK(body_after("gemini", R"({"contents":[ ]})", {{false, " \n"}, {true, "x"}}) ==
        R"({"contents":[ {"role":"user","parts":[{"text":"x"}]}]})");
  CHECK(body_after("gemini", R"({"contents":[{}]})", {{false, "x"}}) ==
        R"({"contents":[{},{"role":"model","parts":[{"text":"x"}]}]})");
  for (const char* without : {R"({"contents":{}})", "{}", R"({"contents":"x"})"}) {
    OwnRequest own{"gemini", without, {}, ""};
    CHECK_FALSE(append_turns(own, steered));
    CHECK(append_turns(own, {}));
    CHECK(own.body == without);
  }
}

TEST_CASE("own request: a client's header replaces the relay's default, a configured one both") {
  ModelRequest request = own_request("anthropic", "{}");
  request.own = std::make_shared<const OwnRequest>(
      OwnRequest{"anthropic", "{}", {{"anthropic-version", "2030-01-01"}, {"x-app", "cli"}, {"x-title", "t"}}, ""});
  ProviderOptions options;
  options.api_key = "sk";
  options.headers = {{"X-Title", "ours"}};
  const auto lines = anthropic_headers(request, options);
  const auto has = [&lines](const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  };
  CHECK(has("anthropic-version: 2030-01-01"));
  CHECK_FALSE(has("anthropic-version: 2023-06-01"));
  CHECK(has("x-app: cli"));
  CHECK(has("X-Title: ours"));
  CHECK_FALSE(has("x-title: t"));
  CHECK(has("x-api-key: sk"));
  CHECK(with_query("https://a/v1/messages", nullptr) == "https://a/v1/messages");
  const OwnRequest queried{"anthropic", "{}", {}, "beta=true"};
  CHECK(with_query("https://a/v1/messages", &queried) == "https://a/v1/messages?beta=true");
  CHECK(with_query("https://a/x?alt=sse", &queried) == "https://a/x?alt=sse&beta=true");
}
