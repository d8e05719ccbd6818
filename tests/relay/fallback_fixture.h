// Three upstreams, each standing in for the one before it, and the owner of a generation that is routed to them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/relay/generation.h"
#include "tests/relay/relay_fixture.h"

namespace tokenrelay::relay {

using Strings = std::vector<std::string>;

// Carries everything over but what the test names.
struct Choosy final : upstream::Provider {
  std::string refused_model;
  support::ScriptedProvider model;
  std::string_view kind() const override { return "choosy"; }
  upstream::Prepared prepare(const upstream::ModelRequest& request) const override {
    if (request.model == refused_model) return upstream::refuse("parameters.seed", "has no word here");
    return support::scripted(request);
  }
  std::unique_ptr<upstream::Call> start(upstream::PreparedPtr request, upstream::CallHandler& handler) override {
    return model.start(std::move(request), handler);
  }
};

struct Fallbacks : RelayFixture {
  std::shared_ptr<support::ScriptedProvider> second_model = std::make_shared<support::ScriptedProvider>();
  std::shared_ptr<Choosy> third_model = std::make_shared<Choosy>();
  std::shared_ptr<Upstream> second, third;

  explicit Fallbacks(uint32_t slots = 0, Options with = {}) : RelayFixture(with, slots) {
    second = std::make_shared<Upstream>("second", second_model, Strings{}, slots);
    third = std::make_shared<Upstream>("third", third_model, Strings{}, slots);
  }
  Route route() const { return Route{upstream, "m", {{second, "m"}, {third, "other"}}}; }
  bool no_place_is_taken() const { return !upstream->slots->full() && !second->slots->full() && !third->slots->full(); }
  std::shared_ptr<Stream> routed() {
    auto made = what();
    made.prompt.route = route();
    return create(std::move(made)).value().stream;
  }
};

struct FallingBack final : Generation::Owner {
  FallingBack(Fallbacks& f, Route route) {
    generation = std::make_unique<Generation>(f.shard->context(), std::make_shared<Options>(f.options),
                                              std::move(route), "req_1", 40, 0, *this);
  }
  void begin() { generation->begin(support::scripted(request)); }
  explicit FallingBack(Fallbacks& f) : FallingBack(f, f.route()) {}

  const upstream::ModelRequest request{"m", "[]", "", "req_1"};
  std::unique_ptr<Generation> generation;
  Strings seams;
  std::string text;
  std::vector<upstream::Outcome> ends;
  int started = 0;
  bool end_at_seam = false;  // the stream ends by itself

  bool append(storage::EventKind kind, std::string_view payload) override {
    if (kind == storage::EventKind::text) text += payload;
    if (kind == storage::EventKind::upstream) seams.emplace_back(payload);
    if (!end_at_seam) return true;
    generation->close();
    return false;
  }
  void on_generation_started() override { ++started; }
  void prepare_again(const Route& to, std::function<void(std::optional<upstream::Prepared>)> then) override {
    upstream::ModelRequest again = request;
    again.model = to.model;
    then(to.upstream->provider->prepare(again));
  }
  void on_generation_end(upstream::Outcome outcome) override { ends.push_back(std::move(outcome)); }
};

inline std::string seam(int attempt, const std::string& reason) {
  return "{\"attempt\":" + std::to_string(attempt) + ",\"reason\":\"" + reason + "\"}";
}

}  // namespace tokenrelay::relay
