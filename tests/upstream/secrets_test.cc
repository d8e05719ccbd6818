#include "service/upstream/secrets.h"

#include "service/text/base64.h"
#include "service/upstream/error.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using upstream::ProviderOptions;
using upstream::without_secrets;

namespace {

const std::string key = "sk-canary/Key+0123456789";

ProviderOptions options() {
  ProviderOptions out;
  out.base_url = "https://models.internal.example:8443/tenant-7/v1";
  out.api_key = key;
  out.headers = {{"X-Team", "canaryteamvalue"}, {"X-Tier", "gold"}, {"X-Proxy-Auth", "Bearer canarytoken99"}};
  return out;
}

std::string url_alphabet(std::string text) {
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

}  // namespace

TEST_CASE("the key in every form in which a server may echo it", "[secrets]") {
  CHECK(without_secrets("bad key " + key + "!", options()) == "bad key ***!");
  CHECK(without_secrets("?key=sk-canary%2FKey%2B0123456789&x", options()) == "?key=***&x");
  CHECK(without_secrets("?key=sk-canary%2fKey%2b0123456789&x", options()) == "?key=***&x");
  CHECK(without_secrets("736b2d63616e6172792f4b65792b30313233343536373839.", options()) == "***.");
  for (const std::string user : {"", "u", "us", "use", "user", "some.user@relay.example"}) {
    for (const std::string after : {"", "x", "\r\n", "&more"}) {
      const std::string encoded = text::base64(user.empty() ? key + after : user + ":" + key + after);
      INFO(encoded);
      CHECK(without_secrets("Authorization: Basic " + encoded + ", no", options()) == "Authorization: Basic ***, no");
      CHECK(without_secrets("(" + url_alphabet(encoded) + ")", options()) == "(***)");
    }
  }
  ProviderOptions none = options();
  none.api_key = "";
  CHECK(without_secrets("nothing to hide", none) == "nothing to hide");
  none.api_key = "k1";  // too short to search for its base64
  CHECK(without_secrets("key k1, azE=", none) == "key ***, azE=");
}

TEST_CASE("configured headers' values", "[secrets]") {
  CHECK(without_secrets("X-Team: canaryteamvalue", options()) == "X-Team: ***");
  CHECK(without_secrets("team canaryteamvalue is over its limit", options()) == "team *** is over its limit");
  CHECK(without_secrets(text::base64("canaryteamvalue"), options()) == "***");
  CHECK(without_secrets("token canarytoken99, Bearer canarytoken99", options()) == "token ***, ***");
  // A short one may be a word: only where its header names it.
  CHECK(without_secrets("gold is a model; X-Tier: gold, x-tier=gold, {\"x-tier\":\"gold\"}", options()) ==
        "gold is a model; X-Tier: ***, x-tier=***, {\"x-tier\":\"***\"}");
}

TEST_CASE("where the upstream is", "[secrets]") {
  CHECK(without_secrets("POST /tenant-7/v1/chat/completions HTTP/1.1  Host: models.internal.example:8443", options()) ==
        "POST *** HTTP/1.1  Host: ***");
  CHECK(without_secrets("see https://Models.Internal.Example/x", options()) == "see https://***/x");
  CHECK(without_secrets("no route /tenant-7/v1/models", options()) == "no route ***/models");
  CHECK(without_secrets("xmodels.internal.example, models.internal.example.org", options()) ==
        "xmodels.internal.example, ***.org");
  // A provider's advice stays.
  ProviderOptions open;
  open.base_url = "https://api.openai.example/v1";
  const std::string advice = "use /v1/responses and not /v1/chat/completions; see https://platform.openai.example/docs";
  CHECK(without_secrets(advice, open) == advice);
  open.base_url = "http://localhost:11434/v1";
  CHECK(without_secrets("localhost is busy, localhost:11434 too", open) == "localhost is busy, *** too");
}

TEST_CASE("a client's message is masked before it is cut", "[secrets]") {
  std::string long_text;
  for (int i = 0; i < 100; ++i) long_text += key;
  const auto message = upstream::client_message(long_text, options());
  CHECK(message.find("canary") == std::string::npos);
  const auto body = upstream::parse_error_body(std::string(990, '.') + key);  // plain text is cut at some length
  CHECK(upstream::client_message(body.message, options()).find("canary") == std::string::npos);
  std::string keys;
  for (int i = 0; i < 60; ++i) keys += "k " + key + " ";
  CHECK(upstream::client_message(upstream::parse_error_body(keys).message, options()).find("canary") ==
        std::string::npos);
}
