// The dialect without sockets: destroying inside a callback, and what a chunk costs.
#include "service/upstream/chat/answer.h"

#include <ctime>
#include <memory>

#include "service/upstream/sse_parser.h"
#include "tests/support/catch.h"
#include "tests/support/model_script.h"

using namespace tokenrelay;
using upstream::ChatAnswer;
namespace script = support::script;

namespace {

struct Counter final : upstream::CallHandler {
  void on_text(std::string_view delta) override {
    ++deltas;
    bytes += delta.size();
    if (deltas == destroy_at) answer.reset();
  }
  void on_reasoning(std::string_view) override {}
  void on_tool_call(int, std::string_view, std::string_view, std::string_view) override {}
  uint64_t told_bytes() const override { return 0; }
  void on_end(upstream::Outcome) override {}
  int deltas = 0, destroy_at = 0;
  size_t bytes = 0;
  std::unique_ptr<ChatAnswer> answer;
};

// Of this thread: the machine may be busy.
double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct Feed final : upstream::SseSink {
  explicit Feed(ChatAnswer& to) : answer(to) {}
  bool on_event(const upstream::SseEvent& event) override {
    return answer.take(event.data) == ChatAnswer::Taken::chunk;
  }
  ChatAnswer& answer;
};

}  // namespace

TEST_CASE("an answer destroyed inside any of its callbacks says so and touches nothing") {
  const std::string parts =
      R"({"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"a\n"},{"type":"text","text":"b\n"},{"text":"c"}],"refusal":"d\t"}},)"
      R"({"index":1,"delta":{"content":"e"}}],"\u0075sage":{"prompt_tokens":1}})";
  for (int at = 1; at <= 4; ++at) {
    Counter counter;
    counter.destroy_at = at;
    counter.answer = std::make_unique<ChatAnswer>(counter);
    CHECK(counter.answer->take(parts) == ChatAnswer::Taken::gone);
    CHECK(counter.deltas == at);
  }
  Counter whole;
  whole.answer = std::make_unique<ChatAnswer>(whole);
  CHECK(whole.answer->take(parts) == ChatAnswer::Taken::chunk);
  CHECK(whole.deltas == 4);
  CHECK(whole.answer->usage().input_tokens == 1u);
}

TEST_CASE("microseconds per chunk, parser and dialect", "[.bench]") {
  const std::string small = script::event(script::text_payload(" hello"));
  const std::string large = script::event(
      R"({"id":"chatcmpl-CbXlOgL0oWgOzjzXqk9Xp1LzTq3Qw","object":"chat.completion.chunk","created":1763000000,"model":)"
      R"("gpt-4.1-nano-2025-04-14","service_tier":"default","system_fingerprint":"fp_950f36939b","choices":[{"index":0,)"
      R"("delta":{"content":" hello"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"Zk2vQ8xT"})");
  for (const std::string& event : {small, large}) {
    Counter counter;
    ChatAnswer answer(counter);
    Feed feed(answer);
    upstream::SseParser parser(feed, 8u << 20);
    constexpr int rounds = 500'000;
    const double start = cpu_us();
    for (int i = 0; i < rounds; ++i) parser.feed(event);
    const double took = cpu_us() - start;
    CHECK(counter.deltas == rounds);
    WARN(took / rounds << " us for an event of " << event.size() << " B");
  }
}
