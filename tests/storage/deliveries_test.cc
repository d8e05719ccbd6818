#include "storage/deliveries.h"

#include "tests/support/catch.h"

using namespace tokenrelay::storage;
using namespace std::chrono_literals;

namespace {

Delivery durable(std::vector<Durable> streams) {
  Delivery delivery;
  delivery.durable = std::move(streams);
  return delivery;
}

}  // namespace

TEST_CASE("only the first of those that wait is worth telling the loop of") {
  Deliveries deliveries;
  CHECK(deliveries.put(durable({{1, 2}})));
  CHECK_FALSE(deliveries.put(durable({{1, 3}})));
  deliveries.take();
  CHECK(deliveries.put(durable({{1, 4}})));
  deliveries.take();
  CHECK(deliveries.take().durable.empty());
}

TEST_CASE("a single commit's streams keep their order") {
  Deliveries deliveries;
  deliveries.put(durable({{9, 2}, {3, 5}, {7, 1}}));
  CHECK(deliveries.take().durable == std::vector<Durable>{{9, 2}, {3, 5}, {7, 1}});
}

TEST_CASE("of several commits each stream has its newest end, once, and every completion is there in order") {
  Deliveries deliveries;
  std::vector<int> called;
  for (int i = 0; i < 3; ++i) {
    const Seq seq = 10 + static_cast<Seq>(i);
    Delivery delivery = durable({{2, seq}, {StreamKey{5} + static_cast<StreamKey>(i), 1}});
    delivery.created.push_back({[&called, i](const Result<Created>&) { called.push_back(i); }, Created{}, 0});
    delivery.removed.emplace_back([&called, i](const Result<bool>&) { called.push_back(10 + i); }, true);
    deliveries.put(std::move(delivery));
  }
  Delivery all = deliveries.take();
  CHECK(all.durable == std::vector<Durable>{{2, 12}, {5, 1}, {6, 1}, {7, 1}});
  for (auto& made : all.created) made.done(std::move(made.made));
  for (auto& [done, removed] : all.removed) done(std::move(removed));
  CHECK(called == std::vector<int>{0, 1, 2, 10, 11, 12});
}

TEST_CASE("what waits is as old as its oldest commit") {
  Deliveries deliveries;
  Delivery old = durable({{1, 2}});
  old.since -= 70ms;
  const auto since = old.since;
  deliveries.put(std::move(old));
  deliveries.put(durable({{1, 3}}));
  CHECK(deliveries.take().since == since);
}
