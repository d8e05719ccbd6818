#include "service/relay/models.h"

#include <list>

#include "tests/support/catch.h"
#include "tests/support/scripted_provider.h"

using namespace tokenrelay::relay;

namespace {

struct Waiting final : Slots::Waiter {
  explicit Waiting(Slots& slots, std::vector<int>& order, int number) : slots(slots), order(order), number(number) {
    slots.wait_for(*this);
  }
  void on_slot() override { order.push_back(number); }
  Slots& slots;
  std::vector<int>& order;
  int number;
};

std::shared_ptr<Upstream> serving(const std::string& name, std::vector<std::string> models) {
  return std::make_shared<Upstream>(name, std::make_shared<tokenrelay::support::ScriptedProvider>(), std::move(models),
                                    0);
}

}  // namespace

TEST_CASE("slots: as many as there are, then a line in order", "[models]") {
  Slots slots(2);
  CHECK(slots.take());
  CHECK(slots.take());
  CHECK(slots.full());
  CHECK_FALSE(slots.take());
  std::vector<int> order;
  Waiting first(slots, order, 1), second(slots, order, 2), third(slots, order, 3);
  CHECK(slots.waiting() == 3);
  slots.leave(second);
  slots.give_back();
  CHECK(order == std::vector<int>{1});
  CHECK(slots.full());  // handed over, not free in between
  slots.give_back();
  CHECK(order == std::vector<int>{1, 3});
  slots.give_back();
  CHECK_FALSE(slots.full());
  slots.leave(first);  // of one that is not in line: nothing
  CHECK(slots.waiting() == 0);
}

TEST_CASE("slots: zero is no limit", "[models]") {
  Slots slots(0);
  for (int i = 0; i < 10'000; ++i) REQUIRE(slots.take());
  CHECK_FALSE(slots.full());
}

TEST_CASE("slots: who gets a place may give it back at once", "[models]") {
  Slots slots(1);
  REQUIRE(slots.take());
  struct Hasty final : Slots::Waiter {
    explicit Hasty(Slots& slots) : slots(slots) {}
    void on_slot() override {
      ++served;
      slots.give_back();
    }
    Slots& slots;
    int served = 0;
  };
  Hasty a(slots), b(slots);
  slots.wait_for(a);
  slots.wait_for(b);
  slots.give_back();
  CHECK(a.served == 1);
  CHECK(b.served == 1);
  CHECK_FALSE(slots.full());
}

TEST_CASE("models: exact names before globs, in order; no list takes every name", "[models]") {
  const auto globs = serving("globs", {"gpt-*", "o?"}), exact = serving("exact", {"gpt-5", "claude"});
  const ModelTable table({globs, exact}, "");
  CHECK(table.find("gpt-5")->upstream == exact);
  CHECK(table.find("gpt-4")->upstream == globs);
  CHECK(table.find("gpt-4")->model == "gpt-4");
  CHECK(table.find("o3")->upstream == globs);
  CHECK_FALSE(table.find("o33"));
  CHECK_FALSE(table.find("GPT-5"));
  CHECK_FALSE(table.find(""));
  const auto all = serving("all", {});
  CHECK(ModelTable({globs, all}, "").find("anything at all")->upstream == all);
  CHECK_FALSE(ModelTable({}, "").find("m"));
}

TEST_CASE("models: the default, else the first that has a name", "[models]") {
  const auto globs = serving("globs", {"gpt-*"}), exact = serving("exact", {"a", "b*", "c"});
  CHECK(ModelTable({globs, exact}, "mine").default_model() == "mine");
  CHECK(ModelTable({globs, exact}, "").default_model() == "a");
  CHECK(ModelTable({globs}, "").default_model().empty());
  CHECK(ModelTable({globs, exact}, "").names() == std::vector<std::string>{"a", "c"});
}

TEST_CASE("models: a route knows its fallbacks, asked for their own name or the same", "[models]") {
  const auto first = serving("first", {"gpt-*"}), second = serving("second", {"claude"}), third = serving("third", {});
  first->fallbacks = {{"second", "claude"}, {"third", ""}};
  second->fallbacks = {{"first", "gpt-5"}};
  third->only_fallback = true;
  const ModelTable table({first, second, third}, "");
  const auto route = table.find("gpt-4");
  REQUIRE(route);
  REQUIRE(route->fallbacks.size() == 2);
  CHECK(route->fallbacks[0].upstream == second);
  CHECK(route->fallbacks[0].model == "claude");
  CHECK(route->fallbacks[0].fallbacks.empty());
  CHECK(route->fallbacks[1].upstream == third);
  CHECK(route->fallbacks[1].model == "gpt-4");
  CHECK(table.find("claude")->fallbacks[0].model == "gpt-5");
  CHECK_FALSE(table.find("what only a fallback would take"));
}

TEST_CASE("models: without a name in the configuration there is no default, and none is made up", "[models]") {
  const auto any = serving("any", {}), behind = serving("behind", {});
  behind->only_fallback = true;
  CHECK(ModelTable({any, behind}, "").default_model().empty());
  CHECK(ModelTable({serving("glob", {"*"})}, "").default_model().empty());
}

TEST_CASE("models: those that are known, with who serves them", "[models]") {
  const auto globs = serving("globs", {"gpt-*"}), exact = serving("exact", {"a", "b*"});
  const auto list = [](const ModelTable& table) {
    std::vector<std::string> out;
    for (const auto& m : table.known()) out.push_back(m.name + " " + m.upstream + " " + m.kind);
    return out;
  };
  CHECK(list(ModelTable({globs, exact}, "gpt-5")) ==
        std::vector<std::string>{"gpt-5 globs scripted", "a exact scripted"});
  CHECK(list(ModelTable({globs, exact}, "a")) == std::vector<std::string>{"a exact scripted"});
  CHECK(list(ModelTable({globs}, "")).empty());
  CHECK(list(ModelTable({serving("any", {})}, "")).empty());
}
