// Places at several upstreams: a generation that falls back gives one up and takes or waits for another.
#include <algorithm>

#include "tests/relay/fallback_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;
using upstream::ErrorCode;

TEST_CASE("the first upstream's place goes to who waits for it, the second's is waited for", "[fallback]") {
  Fallbacks f(1);
  FallingBack holder(f, Route{f.second, "m"}), owner(f), next(f);
  holder.begin();
  owner.begin();
  next.begin();
  CHECK(next.started == 0);
  f.model->last().fail(ErrorCode::upstream_auth, false);  // owner's
  CHECK(next.started == 1);
  CHECK(f.second->slots->waiting() == 1);
  CHECK(f.second_model->calls.size() == 1);
  SECTION("until it is free") {
    holder.generation->close();
    REQUIRE(f.second_model->calls.size() == 2);
    f.second_model->last().text("x");
    CHECK(owner.text == "x");
  }
  SECTION("as long as queue_ms, then the next one is asked") {
    f.time.advance(59'000);
    CHECK(f.third_model->model.calls.empty());
    f.time.advance(1'100);
    CHECK(f.third_model->model.calls.size() == 1);
    CHECK(owner.seams == Strings{seam(2, "upstream_auth"), seam(3, "upstream_overloaded")});
    CHECK(f.second->slots->waiting() == 0);
  }
  SECTION("until it is closed") {
    owner.generation->close();
    CHECK(f.second->slots->waiting() == 0);
  }
  for (auto* each : {&holder, &owner, &next}) each->generation->close();
  CHECK(f.no_place_is_taken());
  CHECK(owner.ends.empty());
}

TEST_CASE("no place in time at the first upstream is a reason to ask the second", "[fallback]") {
  Fallbacks f(1);
  FallingBack holder(f), owner(f);
  holder.begin();
  owner.begin();
  f.time.advance(60'100);
  REQUIRE(f.second_model->calls.size() == 1);
  CHECK(owner.started == 1);
  CHECK(owner.seams == Strings{seam(2, "upstream_overloaded")});
  CHECK(f.upstream->slots->waiting() == 0);
  owner.generation->close();
  holder.generation->close();
  CHECK(f.no_place_is_taken());
}

TEST_CASE("a stream that ends at the seam asks nobody else", "[fallback]") {
  Fallbacks f(1);
  FallingBack owner(f);
  owner.end_at_seam = true;
  owner.begin();
  f.model->last().fail(ErrorCode::upstream_auth, false);
  CHECK(f.second_model->calls.empty());
  CHECK(f.no_place_is_taken());
  CHECK(owner.ends.empty());
}

TEST_CASE("whatever happens, no place is lost, and none is taken twice", "[fallback]") {
  Fallbacks f(2);
  INFO("seed " << f.seed);
  const auto any = [&](size_t below) { return f.draws() % below; };
  const std::vector<support::ScriptedProvider*> models = {f.model.get(), f.second_model.get(), &f.third_model->model};
  const auto some_call = [&]() -> std::shared_ptr<support::ScriptedCall> {
    std::vector<std::shared_ptr<support::ScriptedCall>> open;
    for (auto* model : models)
      std::copy_if(model->calls.begin(), model->calls.end(), std::back_inserter(open),
                   [](const auto& call) { return !call->closed(); });
    return open.empty() ? nullptr : open[any(open.size())];
  };
  std::vector<std::unique_ptr<FallingBack>> owners;
  size_t fallen_back = 0;
  for (int step = 0; step < 3000; ++step) {
    const auto call = some_call();
    const auto what = any(8);
    if (what <= 1 && owners.size() < 12) {
      owners.push_back(std::make_unique<FallingBack>(f));
      owners.back()->begin();
    } else if (what == 2 && !owners.empty()) {
      owners.erase(owners.begin() + static_cast<ptrdiff_t>(any(owners.size())));
    } else if (what == 3 && call) {
      call->text("x");
    } else if (what == 4 && call) {
      call->complete();
    } else if (what <= 6 && call) {
      call->fail(static_cast<ErrorCode>(any(9)), any(2) == 0);
    } else {
      f.time.advance(static_cast<int64_t>(any(9'000)));
    }
    std::erase_if(owners, [](const auto& owner) { return !owner->ends.empty(); });
    for (auto* model : models) REQUIRE(model->open() <= 2);
    for (const auto& owner : owners) fallen_back += owner->seams.empty() ? 0 : 1;
  }
  CHECK(fallen_back > 0);
  CHECK_FALSE(f.third_model->model.calls.empty());
  owners.clear();
  CHECK(f.no_place_is_taken());
  for (const auto& upstream : {f.upstream, f.second, f.third}) {
    CHECK(upstream->slots->waiting() == 0);
    CHECK(upstream->slots->take());
    CHECK(upstream->slots->take());
    CHECK_FALSE(upstream->slots->take());
  }
}
