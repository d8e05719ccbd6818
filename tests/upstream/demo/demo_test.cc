#include "service/json/utf8.h"
#include "service/transport/loop.h"
#include "service/upstream/demo/text.h"
#include "service/upstream/providers.h"
#include "tests/support/catch.h"
#include "tests/upstream/recorder.h"

using namespace tokenrelay;
using upstream::FinishReason;

namespace {

Recorder ask(const std::string& prompt, const std::string& parameters = "", int64_t delta_ms = 0) {
  transport::Loop loop;
  upstream::ProviderOptions options;
  options.demo_delta_ms = delta_ms;
  const auto provider = upstream::make_demo(loop, options);
  Recorder recorder(loop);
  recorder.call =
      call_of(*provider, {"demo", R"([{"role":"user","content":")" + prompt + "\"}]", parameters, "r"}, recorder);
  recorder.run_until_end();
  return recorder;
}

}  // namespace

TEST_CASE("the demo speaks about the prompt, the same each time, and counts its words") {
  const Recorder first = ask("why is the sky blue");
  CHECK(first.text.find("why is the sky blue") != std::string::npos);
  CHECK(first.text.find("5 words") != std::string::npos);
  CHECK(first.text == ask("why is the sky blue").text);
  CHECK(first.text != ask("why is the sea salty").text);
  CHECK(first.deltas.size() > 150);
  CHECK(first.deltas.size() < 400);
  CHECK(first.outcome->finish_reason == FinishReason::stop);
  CHECK(first.outcome->usage.input_tokens == 5u);
  CHECK(first.outcome->usage.output_tokens == first.deltas.size());
  CHECK(first.first_bytes == 1);
}

TEST_CASE("every delta of the demo is whole code points, and some are not ASCII") {
  size_t beyond_ascii = 0;
  for (const char* prompt :
       {"", "x",
        "ein überlanges Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen "
        "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂"}) {
    for (const std::string& delta : ask(prompt).deltas) {
      CHECK_FALSE(delta.empty());
      CHECK(json::valid_utf8(delta));
      if (json::ascii_prefix(delta) < delta.size()) ++beyond_ascii;
    }
  }
  CHECK(beyond_ascii > 10);
}

TEST_CASE("the demo honours max_tokens and its magic words") {
  const Recorder short_one = ask("hi", R"({"max_tokens":7})");
  CHECK(short_one.deltas.size() == 7);
  CHECK(short_one.outcome->finish_reason == FinishReason::length);
  CHECK(ask("hi", R"({"max_completion_tokens":0})").deltas.empty());

  CHECK_FALSE(ask("#reason please").reasoning.empty());
  const Recorder tool = ask("#tool");
  REQUIRE(tool.tools.size() == 1);
  CHECK(tool.tools[0].name == "get_weather");
  CHECK(tool.tools[0].arguments == R"({"city":"Zürich"})");
  CHECK(tool.outcome->finish_reason == FinishReason::tool_calls);
  const Recorder failed = ask("#fail");
  REQUIRE(failed.outcome->failure);
  CHECK(failed.outcome->failure->code == upstream::ErrorCode::upstream_error);
  CHECK(failed.deltas.size() == 10);
  CHECK(ask("#long=1234").deltas.size() == 1234);
}

TEST_CASE("the demo keeps its pace") {
  const Recorder recorder = ask("pace", R"({"max_tokens":20})", 20);
  CHECK(recorder.elapsed_ms() >= 20 * 20);
  CHECK(recorder.elapsed_ms() < 20 * 20 + 2000);
}

TEST_CASE("a demo call may be destroyed or paused inside a callback") {
  transport::Loop loop;
  upstream::ProviderOptions options;
  options.demo_delta_ms = 0;
  const auto provider = upstream::make_demo(loop, options);
  SECTION("destroyed") {
    Recorder recorder(loop);
    recorder.on_delta = [&] {
      if (recorder.deltas.size() == 3) recorder.call.reset(), loop.stop();
    };
    recorder.call = call_of(*provider, {"demo", "[]", "", ""}, recorder);
    loop.run();
    CHECK(recorder.deltas.size() == 3);
    CHECK_FALSE(recorder.outcome);
  }
  SECTION("paused, then resumed") {
    Recorder recorder(loop);
    transport::Timer later(loop.timers(), [&] { recorder.call->resume(); });
    size_t at_pause = 0;
    recorder.on_delta = [&] {
      if (recorder.deltas.size() == 3 && at_pause == 0) {
        recorder.call->pause();
        at_pause = 3;
        later.arm(50);
      }
    };
    recorder.call = call_of(*provider, {"demo", "[]", R"({"max_tokens":9})", ""}, recorder);
    recorder.run_until_end();
    CHECK(recorder.deltas.size() == 9);
    CHECK(recorder.elapsed_ms() >= 50);
  }
}
