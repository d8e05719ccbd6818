// The models that an upstream says it has: GET …/models, asked for when somebody wants to know, and kept for a while.
//
// Promise: list() never waits; `done` is called later, once, with null if the upstream has no such list or cannot be
// asked now. Bounds: one request at a time per upstream, time_ms for it, body_bytes of answer, max_models names; an
// answer is kept for kept_ms, a failure for failed_ms. Threads: the loop's. Ownership: the provider's; callers may be
// gone when `done` is called.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/client/http_client.h"

namespace tokenrelay::upstream {

class ModelList {
 public:
  static constexpr int64_t time_ms = 5'000, kept_ms = 60'000, failed_ms = 5'000;
  static constexpr size_t body_bytes = 4 << 20, max_models = 2'000, name_bytes = 256;

  using Names = std::shared_ptr<const std::vector<std::string>>;

  explicit ModelList(std::shared_ptr<client::HttpClient> client);
  ~ModelList();

  void list(client::HttpRequest request, std::function<void(Names)> done);

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

// Providers that can be asked (relay::Upstream::provider, by dynamic_cast: the demo model and tests cannot).
class ModelLister {
 public:
  virtual ~ModelLister() = default;
  virtual void list_models(std::function<void(ModelList::Names)> done) = 0;
};

// The names in an upstream's answer: {"data":[{"id"}]}, an array of such objects, or Gemini's {"models":[{"name"}]}
// (those that generate content). Null: it is none of these.
ModelList::Names model_names(std::string_view json);

}  // namespace tokenrelay::upstream
