#include "service/api/known_models.h"

#include <algorithm>
#include <unordered_set>

#include "service/api/await.h"
#include "service/upstream/model_list.h"

namespace tokenrelay::api {
namespace {

using Names = upstream::ModelList::Names;
using Upstreams = std::vector<std::shared_ptr<relay::Upstream>>;

constexpr size_t names_told = 20;

// The lists of the upstreams that may have models beyond those that the configuration names; null where there is none.
struct Lists {
  std::vector<Names> of;
  size_t missing = 0;
};
using ListsPtr = std::shared_ptr<Lists>;

bool takes_more(const relay::Upstream& upstream) {
  const bool globs = std::any_of(upstream.models.begin(), upstream.models.end(),
                                 [](const auto& name) { return name.find_first_of("*?[") != name.npos; });
  return globs || (upstream.models.empty() && !upstream.only_fallback);
}

// All are asked at once.
void ask(const Upstreams& upstreams, const std::function<void(ListsPtr)>& done) {
  auto lists = std::make_shared<Lists>();
  lists->of.resize(upstreams.size());
  lists->missing = 1;
  const auto one_less = [lists, done] {
    if (--lists->missing == 0) done(lists);
  };
  for (size_t i = 0; i < upstreams.size(); ++i) {
    auto* lister = dynamic_cast<upstream::ModelLister*>(upstreams[i]->provider.get());
    if (lister == nullptr || !takes_more(*upstreams[i])) continue;
    ++lists->missing;
    lister->list_models([lists, i, one_less](Names names) {
      lists->of[i] = std::move(names);
      one_less();
    });
  }
  one_less();
}

// Each name once, in the order of the upstreams.
class Known {
 public:
  explicit Known(const relay::ModelTable& table) : table_(table), models_(table.known()) {
    for (const auto& model : models_) names_.insert(model.name);
  }
  void add(const relay::Upstream& upstream, const std::vector<std::string>& listed) {
    for (const std::string& name : listed) {
      const auto route = table_.find(name);
      if (!route || route->upstream.get() != &upstream || !names_.insert(name).second) continue;
      models_.push_back({name, upstream.name, std::string(upstream.provider->kind())});
    }
  }
  std::vector<relay::KnownModel> take() { return std::move(models_); }

 private:
  const relay::ModelTable& table_;
  std::vector<relay::KnownModel> models_;
  std::unordered_set<std::string> names_;
};

std::string told(const std::vector<relay::KnownModel>& models) {
  std::string out;
  for (size_t i = 0; i < std::min(models.size(), names_told); ++i) out += (i == 0 ? "" : ", ") + models[i].name;
  return models.size() > names_told ? out + " …" : out;
}

}  // namespace

asio::awaitable<std::vector<relay::KnownModel>> known_models(Api& api) {
  const Upstreams upstreams = api.shard.models().upstreams();  // a reload may replace the table meanwhile
  const ListsPtr lists = co_await until<ListsPtr>([&](const auto& then) { ask(upstreams, then); });
  Known known(api.shard.models());
  for (size_t i = 0; i < upstreams.size(); ++i) {
    if (lists->of[i]) known.add(*upstreams[i], *lists->of[i]);
  }
  co_return known.take();
}

asio::awaitable<tl::expected<std::string, std::string>> model_for_none(Api& api) {
  using Refused = tl::unexpected<std::string>;
  std::string configured = api.shard.models().default_model();
  if (!configured.empty()) co_return configured;
  const auto models = co_await known_models(api);
  if (models.size() == 1) co_return models.front().name;
  if (models.empty()) {
    co_return Refused("is required: no default_model is configured, and the upstream's list of models cannot be read");
  }
  co_return Refused("is required, because there is more than one: " + told(models));
}

}  // namespace tokenrelay::api
