// What foreign model servers really send: every script of tests/fixtures/foreign/ through the relay, natively and as a
// whole answer of the same protocol, all of one kind at once. FOREIGN=PREFIX runs only the cases whose names begin so:
//   FOREIGN=c02 build/quick/e2e "[foreign]"
#include <map>
#include <mutex>

#include "tests/support/catch.h"
#include "tests/support/foreign_case.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

// A prompt names its case, and who asks: "foreign:NAME:native;".
std::string prompt_of(const ForeignCase& script, const std::string& who) {
  return "foreign:" + script.name + ":" + who + ";";
}

// Plays each case's script to whoever names it; each asker's calls are counted on their own.
class ForeignServer {
 public:
  explicit ForeignServer(const std::vector<ForeignCase>& cases) : server_([this](auto& call) { answer(call); }) {
    for (const auto& script : cases) cases_[script.name] = &script;
  }
  uint16_t port() const { return server_.port(); }

 private:
  void answer(ModelServer::Call& call) {
    const std::string& body = call.seen().body;
    const size_t from = body.find("foreign:") + 8;
    const std::string asked = body.substr(from, body.find(';', from) - from);
    const auto& attempts = cases_.at(asked.substr(0, asked.find(':')))->attempts;
    size_t number;
    {
      std::lock_guard lock(mutex_);
      number = calls_[asked]++;
    }
    call.play(attempts[std::min(number, attempts.size() - 1)]);
  }

  std::map<std::string, const ForeignCase*> cases_;
  std::map<std::string, size_t> calls_;
  std::mutex mutex_;
  ModelServer server_;  // last: its threads end first
};

Request whole_request(const std::string& kind, const std::string& prompt) {
  const Json turns = Json::array({{{"role", "user"}, {"content", prompt}}});
  std::string target = "/v1/chat/completions";
  Json body = {{"model", "m"}, {"messages", turns}};
  if (kind == "openai-responses") {
    target = "/v1/responses";
    body = {{"model", "m"}, {"input", prompt}};
  } else if (kind == "anthropic") {
    target = "/v1/messages";
    body["max_tokens"] = 100;
  } else if (kind == "gemini") {
    target = "/v1beta/models/m:generateContent";
    const Json parts = Json::array({{{"text", prompt}}});
    body = {{"contents", Json::array({{{"role", "user"}, {"parts", parts}}})}};
  }
  return {"POST", target, {{"Content-Type", "application/json"}}, body.dump()};
}

// Does a client of the surface take this for an answer?
bool is_success(const Response& response) {
  const Json body = response.json();
  if (response.status != 200 || !body.is_object()) return false;
  return body.value("status", "completed") != "failed";
}

// A client of the provider's protocol is told of such an end what the provider said.
bool ended_itself(const Json& error) {
  const std::string message = error.at("message");
  return error.at("code") == "upstream_empty" || message.starts_with("the upstream stopped with the reason") ||
         message.ends_with("which the relay cannot hand on");
}

struct Asked {
  const ForeignCase* script;
  std::string stream;
  HttpConnection whole;
};

Response rest_of(HttpConnection& connection) {
  Response out;
  const auto head = connection.read_head(30s);
  if (!head) return out;
  out.status = head->status;
  out.body = connection.read_body(30s);
  return out;
}

std::string what_is_wrong(Relay& relay, Asked& asked) {
  Json state;
  const bool over = wait_until(
      [&] {
        state = relay.state(asked.stream);
        return state.value("status", "") != "streaming" && state.value("status", "") != "queued";
      },
      30s, 20ms);
  if (!over) return "  it does not end\n" + state.dump();
  std::string wrong = wrong_with(*asked.script, state);
  const Response whole = rest_of(asked.whole);
  const bool as_sent = state.at("status") == "failed" && ended_itself(state.at("error"));
  if (is_success(whole) != (state.at("status") == "completed") && !as_sent) {
    wrong += "  the whole answer says otherwise: " + std::to_string(whole.status) + " " + whole.body + "\n";
  }
  return wrong.empty() ? wrong : wrong + state.dump();
}

void check_kind(const std::string& kind, const std::string& base) {
  const char* prefix = getenv("FOREIGN");
  const auto cases = foreign_cases(kind, prefix ? prefix : "");
  ForeignServer server(cases);
  Relay relay({.config = "[limits]\nupstream_retries = 0\n[[upstream]]\nkind = \"" + kind +
                         "\"\nbase_url = \"http://127.0.0.1:" + std::to_string(server.port()) + base + "\"\n"});
  std::vector<Asked> all;
  size_t unsaid = 0;
  for (const auto& script : cases) {
    if (script.want.is_null() && ++unsaid) continue;
    Asked asked{&script, relay.create({{"model", "m"}, {"prompt", prompt_of(script, "native")}}),
                HttpConnection(relay.port())};
    asked.whole.send(whole_request(kind, prompt_of(script, "whole")));
    all.push_back(std::move(asked));
  }
  CHECK(unsaid == 0);  // each case says what it wants
  size_t wrong_cases = 0;
  for (auto& asked : all) {
    const std::string wrong = what_is_wrong(relay, asked);
    if (wrong.empty()) continue;
    ++wrong_cases;
    UNSCOPED_INFO(asked.script->name << "\n" << wrong);
  }
  INFO(kind << ": wrong are " << wrong_cases << " of " << all.size());
  CHECK(wrong_cases == 0);
  CHECK((prefix || !cases.empty()));
}

}  // namespace

TEST_CASE("what foreign Chat Completions servers send", "[foreign]") {
  check_kind("openai", "/v1");
}
TEST_CASE("what foreign Responses servers send", "[foreign]") {
  check_kind("openai-responses", "/v1");
}
TEST_CASE("what foreign Messages servers send", "[foreign]") {
  check_kind("anthropic", "");
}
TEST_CASE("what foreign Gemini servers send", "[foreign]") {
  check_kind("gemini", "");
}
