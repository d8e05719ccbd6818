// Which upstream serves which model, which upstreams are its fallbacks, and how many generations each runs at once.
//
// Threads: loop thread. A reload builds a new table; running generations keep their upstream.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/upstream/upstream.h"

namespace tokenrelay::relay {

// Slots for generations at one upstream; without a free one they wait in line. max 0: no limit.
class Slots {
 public:
  class Waiter {
   public:
    virtual void on_slot() = 0;  // the slot is yours now; give_back() it
   protected:
    ~Waiter() = default;
  };

  explicit Slots(uint32_t max) : max_(max) {}
  void allow(uint32_t max);  // from now on; more places go to those in line
  bool full() const { return max_ != 0 && in_use_ >= max_; }
  bool take();  // false: wait_for()
  void wait_for(Waiter& waiter) { line_.push_back(&waiter); }
  void leave(Waiter& waiter) { line_.remove(&waiter); }
  void give_back();
  size_t waiting() const { return line_.size(); }

 private:
  bool call_next();

  uint32_t max_;
  uint32_t in_use_ = 0;
  std::list<Waiter*> line_;
};

// Where an upstream's generations go when it fails before their first delta.
struct Fallback {
  std::string upstream;  // its name
  std::string model;     // the model to request there; "": the same as before
};

struct Upstream {
  Upstream(std::string name, std::shared_ptr<upstream::Provider> provider, std::vector<std::string> models,
           uint32_t max_concurrent)
      : name(std::move(name)),
        provider(std::move(provider)),
        models(std::move(models)),
        max_concurrent(max_concurrent),
        slots(std::make_shared<Slots>(max_concurrent)) {}

  std::string name;  // in logs, and in the fallbacks of others
  std::shared_ptr<upstream::Provider> provider;
  std::vector<std::string> models;  // names or globs; empty: every name
  uint32_t max_concurrent;
  std::shared_ptr<Slots> slots;           // an upstream of this name in the next table goes on with them
  std::vector<Fallback> fallbacks;        // in order; by name, so that two can fall back to each other
  bool only_fallback = false;             // serves no model by itself
  std::vector<std::string> pass_headers;  // of clients that speak its protocol (api/own_headers.h)
};

struct Route {
  std::shared_ptr<Upstream> upstream;
  std::string model;                  // the name to request from the upstream
  std::vector<Route> fallbacks = {};  // tried in order; these have no further fallbacks
};

struct KnownModel {
  std::string name;
  std::string upstream;  // its name
  std::string kind;
};

class ModelTable {
 public:
  ModelTable(std::vector<std::shared_ptr<Upstream>> upstreams, std::string default_model);

  // For a reload: generations that run or wait at an upstream of the same name keep their places and count.
  void take_over_slots(const ModelTable& earlier) const;

  const std::string& default_model() const { return default_model_; }  // "": none
  std::optional<Route> find(std::string_view model) const;             // exact names first, then globs, in order
  std::vector<std::string> names() const;                              // without the globs
  const std::vector<std::shared_ptr<Upstream>>& upstreams() const { return upstreams_; }
  // The names that the configuration gives, preceded by the default model if only a glob matches it. What upstreams list
  // themselves is not here (api/known_models.h).
  std::vector<KnownModel> known() const;

 private:
  std::shared_ptr<Upstream> serving(const std::string& model) const;
  Route route_to(std::shared_ptr<Upstream> upstream, const std::string& model) const;

  std::vector<std::shared_ptr<Upstream>> upstreams_;
  std::string default_model_;
};

}  // namespace tokenrelay::relay
