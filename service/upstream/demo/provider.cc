#include <algorithm>
#include <charconv>
#include <limits>

#include "service/json/parse.h"
#include "service/transport/lifeline.h"
#include "service/transport/loop.h"
#include "service/transport/timer_wheel.h"
#include "service/upstream/demo/text.h"
#include "service/upstream/providers.h"

namespace tokenrelay::upstream {
namespace {

// What a prompt or its parameters ask of the demo (providers.h).
struct Script {
  std::vector<std::string> reasoning;
  std::vector<std::string> text;
  bool tool_call = false;
  bool fail = false;
  uint64_t max_tokens = std::numeric_limits<uint64_t>::max();
};

uint64_t max_tokens_of(const std::string& parameters) {
  const auto values = json::parse(parameters);
  if (values && values->is_object()) {
    for (const char* name : {"max_completion_tokens", "max_tokens"}) {
      const auto limit = values->find(name);
      if (limit != values->end() && limit->is_number_unsigned()) return limit->get<uint64_t>();
    }
  }
  return std::numeric_limits<uint64_t>::max();
}

// The number after "#long=", bounded; 0 if it is not there.
size_t long_pieces(std::string_view prompt) {
  constexpr std::string_view word = "#long=";
  const size_t at = prompt.find(word);
  if (at == prompt.npos) return 0;
  const std::string_view digits = prompt.substr(at + word.size());
  size_t count = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), count);
  return std::min<size_t>(count, 100'000);
}

Script script_of(const std::string& prompt, const std::string& parameters) {
  const auto asks = [&prompt](const char* word) { return prompt.find(word) != prompt.npos; };
  Script script;
  script.text = demo_answer(prompt);
  if (const size_t wanted = long_pieces(prompt)) {
    const size_t once = script.text.size();
    while (script.text.size() < wanted) script.text.push_back(script.text[script.text.size() % once]);
    script.text.resize(wanted);
  }
  if (asks("#reason"))
    script.reasoning = token_pieces("The prompt asks me to think first. I look at its words, count them, and begin.");
  script.tool_call = asks("#tool");
  script.fail = asks("#fail");
  script.max_tokens = max_tokens_of(parameters);
  return script;
}

class DemoCall final : public Call {
 public:
  DemoCall(transport::Loop& loop, int64_t delta_ms, Script script, uint64_t input_words, CallHandler& handler)
      : loop_(loop),
        delta_us_(std::max<int64_t>(delta_ms, 0) * 1000),
        script_(std::move(script)),
        input_words_(input_words),
        handler_(handler),
        timer_(loop.timers(), [this] { fire(); }) {
    due_us_ = loop_.clock().mono_us() + delta_us_;
    arm();
  }
  void pause() override {
    paused_ = true;
    timer_.cancel();
  }
  void resume() override {
    if (!paused_) return;
    paused_ = false;
    due_us_ = loop_.clock().mono_us() + delta_us_;
    arm();
  }

 private:
  static constexpr int max_burst = 64;  // pieces in one turn of the loop

  void arm() { timer_.arm(std::max<int64_t>(0, (due_us_ - loop_.clock().mono_us()) / 1000)); }

  // Sends every piece that is due. The timer's tick is coarser than the pace, so the next piece is due delta_us_ after
  // the last one was due, not after it was sent.
  void fire() {
    transport::Lifeline::Watch watch(line_);
    const int64_t now = loop_.clock().mono_us();
    for (int burst = 0; burst < max_burst && due_us_ <= now; ++burst) {
      due_us_ += delta_us_;
      const bool more = say_next();
      if (watch.gone() || !more || paused_) return;
    }
    due_us_ = std::max(due_us_, now - 1'000'000);  // after a long stall: no endless burst
    arm();
  }

  // False once on_end was called; the call may then be gone.
  bool say_next() {
    if (said_ == 0 && !begun_) {
      begun_ = true;
      handler_.on_first_byte();
      return true;
    }
    if (said_ == script_.max_tokens) return end(FinishReason::length);
    const size_t thoughts = script_.reasoning.size();
    if (said_ < thoughts) {
      handler_.on_reasoning(script_.reasoning[said_++]);
      return true;
    }
    if (script_.fail && said_ - thoughts == 10) return fail();
    if (said_ - thoughts < script_.text.size()) {
      handler_.on_text(script_.text[said_++ - thoughts]);
      return true;
    }
    return script_.tool_call ? say_tool_call() : end(FinishReason::stop);
  }

  bool say_tool_call() {
    static constexpr std::string_view arguments[] = {"", "{\"city\":", "\"Zür", "ich\"}"};
    if (tool_pieces_ == std::size(arguments)) return end(FinishReason::tool_calls);
    const size_t piece = tool_pieces_++;
    ++said_;
    handler_.on_tool_call(0, piece == 0 ? "call_demo" : "", piece == 0 ? "get_weather" : "", arguments[piece]);
    return true;
  }

  bool end(FinishReason reason) {
    Outcome outcome;
    outcome.finish_reason = reason;
    outcome.usage = usage();
    handler_.on_end(std::move(outcome));
    return false;
  }

  bool fail() {
    Outcome outcome;
    outcome.failure = Error{ErrorCode::upstream_error, "the demo model was asked to fail", false, {}, 200};
    outcome.usage = usage();
    handler_.on_end(std::move(outcome));
    return false;
  }

  Usage usage() const {
    Usage words = {input_words_, said_};
    const size_t thought = std::min(said_, script_.reasoning.size());
    if (thought > 0) words.reasoning_tokens = thought;
    return words;
  }

  transport::Loop& loop_;
  const int64_t delta_us_;
  const Script script_;
  const uint64_t input_words_;
  CallHandler& handler_;
  transport::Timer timer_;
  int64_t due_us_ = 0;
  uint64_t said_ = 0;  // pieces of every kind
  size_t tool_pieces_ = 0;
  bool begun_ = false;
  bool paused_ = false;
  transport::Lifeline line_;
};

struct DemoPrepared final : PreparedRequest {
  Script script;
  uint64_t input_words = 0;
  size_t bytes() const override { return sizeof *this; }
};

class DemoProvider final : public Provider {
 public:
  DemoProvider(transport::Loop& loop, int64_t delta_ms) : loop_(loop), delta_ms_(delta_ms) {}

  std::string_view kind() const override { return "demo"; }

  Prepared prepare(const ModelRequest& request) const override {
    const std::string prompt = last_user_text(request.messages);
    auto made = std::make_shared<DemoPrepared>();
    made->script = script_of(prompt, request.parameters);
    made->input_words = count_words(prompt);
    return made;
  }
  std::unique_ptr<Call> start(PreparedPtr request, CallHandler& handler) override {
    const auto& demo = static_cast<const DemoPrepared&>(*request);
    return std::make_unique<DemoCall>(loop_, delta_ms_, demo.script, demo.input_words, handler);
  }

 private:
  transport::Loop& loop_;
  const int64_t delta_ms_;
};

}  // namespace

std::unique_ptr<Provider> make_demo(transport::Loop& loop, const ProviderOptions& options) {
  return std::make_unique<DemoProvider>(loop, options.demo_delta_ms);
}

}  // namespace tokenrelay::upstream
