// What a generation does when its upstream fails it and others stand by.
#include "tests/relay/fallback_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;
using upstream::ErrorCode;

TEST_CASE("what another upstream may do better goes to it at once", "[fallback]") {
  Fallbacks f(1);
  FallingBack owner(f);
  owner.begin();
  std::string reason;
  SECTION("the relay's credential was refused") {
    f.model->last().fail(ErrorCode::upstream_auth, false);
    reason = "upstream_auth";
  }
  SECTION("it asks for more patience than there is") {
    f.model->last().fail(ErrorCode::upstream_rate_limited, true, 31'000);
    reason = "upstream_rate_limited";
  }
  SECTION("it does not speak its protocol") {
    f.model->last().fail(ErrorCode::upstream_protocol, false);
    reason = "upstream_protocol";
  }
  CHECK(f.model->open() == 0);
  CHECK_FALSE(f.upstream->slots->full());
  CHECK(f.second->slots->full());
  REQUIRE(f.second_model->calls.size() == 1);
  CHECK(f.second_model->last().request.messages == "[]");
  CHECK(owner.seams == Strings{seam(2, reason)});
  f.second_model->last().text("hello");
  f.second_model->last().complete();
  owner.generation->close();
  CHECK(owner.text == "hello");
  REQUIRE(owner.ends.size() == 1);
  CHECK_FALSE(owner.ends[0].failure);
  CHECK(owner.started == 1);
  CHECK(f.no_place_is_taken());
}

TEST_CASE("what a retry may cure is retried first, and each upstream has its own tries", "[fallback]") {
  Fallbacks f(1);
  FallingBack owner(f);
  owner.begin();
  for (int tries = 0; tries < 3; ++tries) {
    f.time.advance(2'000);
    REQUIRE(f.model->calls.size() == static_cast<size_t>(tries) + 1);
    f.model->last().fail(ErrorCode::upstream_overloaded, true);
  }
  REQUIRE(f.second_model->calls.size() == 1);
  f.second_model->last().fail(ErrorCode::upstream_unreachable, true);
  CHECK(f.second->slots->full());  // kept while it backs off
  f.time.advance(490);
  CHECK(f.second_model->calls.size() == 1);
  f.time.advance(20);  // its first wait, not its third
  REQUIRE(f.second_model->calls.size() == 2);
  f.second_model->last().text("x");
  CHECK(owner.seams == Strings{seam(2, "upstream_overloaded"), seam(3, "upstream_overloaded"),
                               seam(4, "upstream_overloaded"), seam(5, "upstream_unreachable")});
  CHECK(f.model->calls.size() == 3);
}

TEST_CASE("retries wait for long only at the upstream that has no fallback", "[fallback]") {
  Fallbacks f;
  FallingBack owner(f);
  owner.begin();
  const auto fail_within = [&](auto& model, int64_t ms) {
    for (size_t tries = 1; tries <= 3; ++tries) {
      REQUIRE(model.calls.size() == tries);
      model.last().fail(ErrorCode::upstream_overloaded, true);
      if (tries < 3) f.time.advance(ms);
    }
  };
  fail_within(*f.model, 1'010);
  fail_within(*f.second_model, 1'010);
  REQUIRE(f.third_model->model.calls.size() == 1);
  f.third_model->model.last().fail(ErrorCode::upstream_overloaded, true);
  f.time.advance(510);
  REQUIRE(f.third_model->model.calls.size() == 2);
  f.third_model->model.last().fail(ErrorCode::upstream_overloaded, true);
  f.time.advance(17'000);
  CHECK(f.third_model->model.calls.size() == 2);
  f.time.advance(600);
  CHECK(f.third_model->model.calls.size() == 3);
}

TEST_CASE("the window for retries is each upstream's own", "[fallback]") {
  Fallbacks f;
  FallingBack owner(f);
  owner.begin();
  f.model->last().fail(ErrorCode::upstream_rate_limited, true, 25'000);
  f.time.advance(25'010);
  f.model->last().fail(ErrorCode::upstream_rate_limited, true, 25'000);  // over 30 s in all
  REQUIRE(f.second_model->calls.size() == 1);
  f.second_model->last().fail(ErrorCode::upstream_rate_limited, true, 25'000);
  f.time.advance(25'010);
  CHECK(f.second_model->calls.size() == 2);
}

TEST_CASE("a request that was wrong is wrong everywhere", "[fallback]") {
  Fallbacks f;
  FallingBack owner(f);
  owner.begin();
  f.model->last().fail(ErrorCode::upstream_bad_request, false);
  REQUIRE(owner.ends.size() == 1);
  CHECK(owner.ends[0].failure->code == ErrorCode::upstream_bad_request);
  CHECK(f.second_model->calls.empty());
  CHECK(owner.seams.empty());
}

TEST_CASE("no fallback after the first delta", "[fallback]") {
  Fallbacks f;
  FallingBack owner(f);
  owner.begin();
  auto& handler = *f.model->last().handler;
  SECTION("text") {
    handler.on_text("x");
  }
  SECTION("reasoning") {
    handler.on_reasoning("x");
  }
  SECTION("a tool call") {
    handler.on_tool_call(0, "i", "n", "");
  }
  SECTION("what the model wants back") {
    handler.on_opaque(R"({"provider":"p"})");
  }
  f.model->last().fail(ErrorCode::upstream_overloaded, true);
  CHECK(owner.ends.size() == 1);
  CHECK(f.second_model->calls.empty());
  CHECK(owner.seams.empty());
}

TEST_CASE("when all fail, the last failure counts", "[fallback]") {
  Fallbacks f(1);
  FallingBack owner(f);
  owner.begin();
  f.model->last().fail(ErrorCode::upstream_auth, false);
  f.second_model->last().fail(ErrorCode::upstream_error, false);
  REQUIRE(f.third_model->model.calls.size() == 1);
  CHECK(f.third_model->model.last().request.model == "other");
  f.third_model->model.last().fail(ErrorCode::upstream_timeout, false);
  REQUIRE(owner.ends.size() == 1);
  CHECK(owner.ends[0].failure->code == ErrorCode::upstream_timeout);
  CHECK(owner.seams == Strings{seam(2, "upstream_auth"), seam(3, "upstream_error")});
  owner.generation->close();
  CHECK(f.no_place_is_taken());
  f.time.advance(100'000);
  CHECK(f.model->calls.size() == 1);
  CHECK(f.second_model->calls.size() == 1);
}

TEST_CASE("a fallback that cannot carry the request over is passed", "[fallback]") {
  Fallbacks f;
  f.third_model->refused_model = "other";
  FallingBack owner(f, Route{f.upstream, "m", {{f.third, "other"}, {f.second, "big"}}});
  owner.begin();
  f.model->last().fail(ErrorCode::upstream_auth, false);
  CHECK(f.third_model->model.calls.empty());
  REQUIRE(f.second_model->calls.size() == 1);
  CHECK(f.second_model->last().request.model == "big");
  CHECK(owner.seams == Strings{seam(2, "upstream_auth")});

  FallingBack alone(f, Route{f.upstream, "m", {{f.third, "other"}}});
  alone.begin();
  f.model->last().fail(ErrorCode::upstream_auth, false);
  REQUIRE(alone.ends.size() == 1);
  CHECK(alone.ends[0].failure->code == ErrorCode::upstream_auth);
  CHECK(alone.seams.empty());
}

TEST_CASE("a pause holds at the fallback too", "[fallback]") {
  Fallbacks f;
  FallingBack owner(f);
  owner.begin();
  owner.generation->pause();
  f.model->last().fail(ErrorCode::upstream_auth, false);
  CHECK(f.second_model->last().paused);
  owner.generation->resume();
  CHECK_FALSE(f.second_model->last().paused);
}

TEST_CASE("a steer begins at the first upstream again", "[fallback]") {
  Fallbacks f(1);
  const auto stream = f.routed();
  f.model->last().fail(ErrorCode::upstream_auth, false);
  f.time.settle();  // the request is read from the log
  f.second_model->last().text("one");
  f.commit();
  REQUIRE(stream->steer("shorter"));
  CHECK(f.second_model->open() == 0);
  f.commit();
  f.time.settle();
  REQUIRE(f.model->calls.size() == 2);
  CHECK(f.model->last().request.model == "m");
  f.model->last().fail(ErrorCode::upstream_auth, false);  // its answer has not begun: the second may help again
  f.time.settle();
  REQUIRE(f.second_model->calls.size() == 2);
  f.second_model->last().text("two");
  f.second_model->last().complete();
  f.commit();
  f.commit();
  CHECK(stream->status() == "completed");
  CHECK(f.done(*stream)["status"] == "completed");
  CHECK(f.no_place_is_taken());
}
