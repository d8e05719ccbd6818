// --upstream KIND=BASE_URL and TOKENRELAY_UPSTREAM: laid over the file's entries.
#include <algorithm>

#include "service/config/layers.h"

namespace tokenrelay {
namespace {

using Origins = std::map<std::string, std::string>;

// What the file said of its upstreams, taken off the configuration: the flags stand for all of them.
struct FileEntries {
  std::vector<UpstreamConfig> entries;
  std::vector<bool> used;
  Origins origins;

  explicit FileEntries(LayeredConfig& layered) : entries(std::move(layered.config.upstreams)), used(entries.size()) {
    layered.config.upstreams.clear();
    const auto from = layered.origins.lower_bound("upstream["), to = layered.origins.lower_bound("upstream\\");
    origins.insert(from, to);
    layered.origins.erase(from, to);
  }

  // The first of the kind that no flag has taken yet, now as upstream[index]; else an empty one.
  UpstreamConfig take(const std::string& kind, size_t index, Origins& into) {
    const auto entry = std::find_if(entries.begin(), entries.end(), [&](const auto& e) {
      return e.kind == kind && !used[static_cast<size_t>(&e - entries.data())];
    });
    if (entry == entries.end()) return {};
    const auto old = static_cast<size_t>(entry - entries.begin());
    used[old] = true;
    const std::string prefix = path_of_upstream(old, "") + ".";
    for (const auto& [path, place] : origins) {
      if (path.starts_with(prefix)) into[path_of_upstream(index, path.substr(prefix.size()))] = place;
    }
    return *entry;
  }
};

}  // namespace

Problem take_upstreams(const std::vector<std::string>& upstreams, const std::string& origin, LayeredConfig& layered) {
  FileEntries of_file(layered);
  for (size_t index = 0; index < upstreams.size(); ++index) {
    const std::string& text = upstreams[index];
    const size_t equals = std::min(text.find('='), text.size());
    const std::string kind = text.substr(0, equals);
    UpstreamConfig upstream = of_file.take(kind, index, layered.origins);
    upstream.kind = kind;
    upstream.base_url = equals < text.size() ? text.substr(equals + 1) : "";
    if (upstreams.size() == 1) upstream.models.clear(), upstream.fallback.clear();
    for (const char* key : {"", "kind", "base_url"}) layered.origins[path_of_upstream(index, key)] = origin;
    layered.config.upstreams.push_back(std::move(upstream));
  }
  return {};
}

}  // namespace tokenrelay
