// Whatever a client does, the loop goes on: no turn of it takes long, and the stream of somebody else keeps its pace.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sanitized.h"
#include "tests/support/sse_connection.h"

using namespace tokenrelay::support;

namespace {

constexpr double slower = sanitized ? 10 : 1;  // the same work, watched

// The gaps are wall time: on a machine that has other work they say little, but a loop that stands still for as long as
// a large body takes shows everywhere. tests/long.sh has the machine for itself and sets ALONE.
double noise() {
  return std::getenv("ALONE") ? 1 : 5;
}

// The victim's answer: a delta every 10 ms for two seconds.
constexpr int deltas = 200;
constexpr int64_t pace_ms = 10;

std::string repeated(std::string_view piece, size_t bytes) {
  std::string out;
  out.reserve(bytes + piece.size());
  while (out.size() < bytes) out += piece;
  return out;
}

std::string list_of(std::string_view piece, size_t bytes) {
  std::string out = "[" + repeated(piece, bytes);
  out.back() = ']';
  return out;
}

constexpr size_t whole_body = 9 << 20;  // of the 10 MiB allowed

Response post_raw(Relay& relay, const std::string& target, std::string body) {
  return fetch(relay.port(), {"POST", target, {{"Content-Type", "application/json"}}, std::move(body)}, 30s);
}

struct Abuse {
  const char* name;
  void (*once)(Relay& relay);          // again and again, while the victim is watched
  double turn_ms = 20, added_ms = 50;  // at most
};

void post_refused(Relay& relay, const std::string& list) {
  for (const auto& [target, body] : std::initializer_list<std::pair<const char*, std::string>>{
           {"/v1/streams", R"({"prompt":"x","parameters":{"a":)" + list + "}}"},
           {"/v1/chat/completions", R"({"model":"m","messages":)" + list + "}"},
           {"/v1/responses", R"({"model":"m","input":)" + list + "}"},
           {"/v1/messages", R"({"model":"m","max_tokens":1,"messages":)" + list + "}"},
           {"/v1beta/models/m:generateContent", R"({"contents":)" + list + "}"},
           {"/api/chat", R"({"id":"c","messages":)" + list + "}"}}) {
    CHECK(post_raw(relay, target, body).status == 400);
  }
}

std::string long_conversation() {
  std::string turns = "[";
  for (int i = 0; i < 30'000; ++i) turns += R"({"role":"user","content":"abcdefghijklmnopqrstuvwxyz"},)";
  turns.back() = ']';
  return turns;
}

const Abuse abuses[] = {
    {"bodies of millions of empty lists, refused",
     [](Relay& relay) { post_refused(relay, list_of("[],", whole_body)); }},
    {"bodies of millions of numbers, refused", [](Relay& relay) { post_refused(relay, list_of("0,", whole_body)); }},
    {"a prompt of 9 MiB",
     [](Relay& relay) {
       const std::string id = relay.create({{"prompt", repeated("lorem ipsum \xC3\xA9 ", whole_body)}});
       relay.wait_status(id, "completed");
     }},
    {"30,000 turns, on every surface",
     [](Relay& relay) {
       const std::string turns = long_conversation();
       CHECK(post_raw(relay, "/v1/streams", R"({"messages":)" + turns + "}").status == 201);
       CHECK(post_raw(relay, "/v1/chat/completions", R"({"model":"m","messages":)" + turns + "}").status == 200);
       CHECK(post_raw(relay, "/v1/responses", R"({"model":"m","input":)" + turns + "}").status == 200);
       CHECK(post_raw(relay, "/v1/messages", R"({"model":"m","max_tokens":9,"messages":)" + turns + "}").status == 200);
     }},
    {"steers of a conversation of 9 MiB",
     [](Relay& relay) {
       const std::string id = relay.create({{"prompt", "hold on " + repeated("lorem ipsum ", whole_body)}});
       relay.post("/v1/streams/" + id + "/steer", {{"content", "shorter"}});
       relay.wait_status(id, "completed");
     }},
    {"an upstream's events and answers of 7 MiB",
     [](Relay& relay) {
       for (const char* prompt : {"huge text", "huge unknown", "huge document"}) {
         CHECK(relay.wait_status(relay.create({{"prompt", prompt}}), "completed"));
       }
     },
     // One event is read in one turn, and the victim's next events wait for the commit of 7 MiB.
     150, 1'000},
};

// What an upstream may send in one event, and as a whole answer: one long text, and a member that nobody knows.
void answer_hugely(ModelServer::Call& call) {
  constexpr size_t most = 7 << 20;  // of the 8 MiB allowed
  const std::string prompt = call.prompt();
  if (prompt == "huge document") {
    const std::string text = repeated("lorem ipsum \\u00e9 ", most);
    call.refuse(200, R"({"choices":[{"index":0,"message":{"role":"assistant","content":")" + text +
                         R"("},"finish_reason":"stop"}]})");
    return;
  }
  const bool unknown = prompt == "huge unknown";
  call.send("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" +
            (unknown ? "x\"},\"unknown\":" + list_of("[],", most) : repeated("lorem ", most) + "\"}") + "}]}\n\n");
  call.finish();
}

// The gaps between the victim's deltas, in ms, while the abuse goes on in another thread.
struct Watched {
  double p999_gap_ms = 0, longest_turn_cpu_s = 0;
};

Watched watch(const Abuse* abuse) {
  ModelServer model([](ModelServer::Call& call) {
    if (call.prompt() == "victim") return call.play(script::numbered_stream(deltas, pace_ms));
    if (call.prompt().starts_with("hold on")) {
      call.text("so far");
      call.wait_closed(10s);
      return;
    }
    if (call.prompt().starts_with("huge")) return answer_hugely(call);
    call.text("ok");
    call.finish();
  });
  Relay relay({.upstream = "openai=" + model.base_url()});
  std::atomic<bool> over{false};
  std::thread abuser;
  if (abuse != nullptr) {
    abuser = std::thread([&] {
      do abuse->once(relay);
      while (!over);
    });
  }
  const std::string id = relay.create({{"prompt", "victim"}});
  SseConnection victim(relay.port(), events_request(id));
  std::vector<double> gaps;
  auto last = Clock::now();
  while (const auto event = victim.next(30s)) {
    const auto now = Clock::now();
    if (event->name == "message") gaps.push_back(std::chrono::duration<double, std::milli>(now - last).count());
    last = now;
  }
  over = true;
  if (abuser.joinable()) abuser.join();
  REQUIRE(gaps.size() > deltas / 4);
  std::sort(gaps.begin(), gaps.end());
  return {gaps[gaps.size() - 1 - gaps.size() / 1000], relay.metric("tokenrelay_loop_stall_cpu_seconds")};
}

double middle(std::vector<double> three) {
  std::sort(three.begin(), three.end());
  return three[three.size() / 2];
}

}  // namespace

TEST_CASE("no client makes a turn of the loop long, or slows down another's stream", "[abuse]") {
  constexpr int pairs = 3;
  for (const Abuse& abuse : abuses) {
    std::vector<double> added_ms, turn_ms;
    for (int i = 0; i < pairs; ++i) {
      const Watched calm = watch(nullptr), abused = watch(&abuse);
      added_ms.push_back(abused.p999_gap_ms - calm.p999_gap_ms);
      turn_ms.push_back(abused.longest_turn_cpu_s * 1e3);
    }
    INFO(abuse.name);
    std::printf("%s: %.1f ms of CPU in the longest turn, %.1f ms added to the victim's p99.9 gap\n", abuse.name,
                middle(turn_ms), middle(added_ms));
    CHECK(middle(turn_ms) <= abuse.turn_ms * slower);
    CHECK(middle(added_ms) <= abuse.added_ms * slower * noise());
  }
}
