// Who stands in for whom: `fallback` of each upstream.
#include <algorithm>

#include "service/config/layers.h"

namespace tokenrelay {
namespace {

constexpr size_t kMostFallbacks = 16;  // of one upstream: each may be waited for, one after the other

Problem take_fallback(size_t index, const std::string& text, LayeredConfig& layered) {
  auto& upstreams = layered.config.upstreams;
  UpstreamConfig& upstream = upstreams[index];
  const auto wrong = [&](const std::string& what) { return layered.wrong(path_of_upstream(index, "fallback"), what); };
  const size_t equals = std::min(text.find('='), text.size());
  UpstreamConfig::Fallback fallback{text.substr(0, equals), text.substr(std::min(equals + 1, text.size()))};
  if (fallback.upstream == upstream.name) return wrong("\"" + upstream.name + "\" cannot fall back to itself");
  const auto named =
      std::find_if(upstreams.begin(), upstreams.end(), [&](const auto& u) { return u.name == fallback.upstream; });
  if (named == upstreams.end()) return wrong("no upstream is called \"" + fallback.upstream + "\"");
  if (equals < text.size() && (fallback.model.empty() || fallback.model.size() > 256)) {
    return wrong("a model's name has 1 to 256 characters: \"NAME\" or \"NAME=MODEL\"");
  }
  named->only_fallback = named->models.empty();
  upstream.fallbacks.push_back(std::move(fallback));
  return {};
}

}  // namespace

Problem check_fallbacks(LayeredConfig& layered) {
  const auto& upstreams = layered.config.upstreams;
  for (size_t index = 0; index < upstreams.size(); ++index) {
    if (upstreams[index].fallback.size() > kMostFallbacks) {
      return layered.wrong(path_of_upstream(index, "fallback"), "names at most 16 upstreams");
    }
    for (const std::string& text : upstreams[index].fallback) {
      if (auto problem = take_fallback(index, text, layered)) return problem;
    }
  }
  return {};
}

}  // namespace tokenrelay
