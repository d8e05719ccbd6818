// The upstreams of a configuration: their checks, and the defaults that depend on the kind.
#include <fnmatch.h>

#include <algorithm>
#include <set>

#include "service/config/address.h"
#include "service/config/layers.h"
#include "service/text/ascii.h"

namespace tokenrelay {
namespace {

struct Kind {
  std::string_view name, key_variable, base_url;
};

constexpr Kind kinds[] = {{"openai", "OPENAI_API_KEY", "a URL that ends in /v1"},
                          {"openai-responses", "OPENAI_API_KEY", "a URL that ends in /v1"},
                          {"anthropic", "ANTHROPIC_API_KEY", "such as https://api.anthropic.com"},
                          {"gemini", "GEMINI_API_KEY", "such as https://generativelanguage.googleapis.com"},
                          {"demo", "", ""}};
constexpr const char* kind_names = "openai, openai-responses, anthropic, gemini or demo";

const Kind* find_kind(const std::string& name) {
  const auto* found = std::find_if(std::begin(kinds), std::end(kinds), [&](const Kind& k) { return k.name == name; });
  return found == std::end(kinds) ? nullptr : found;
}

bool is_variable_name(const std::string& text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_label(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

std::string wrong_header(const std::string& name, const std::string& value) {
  static const std::set<std::string> credentials = {"authorization", "proxy-authorization", "x-api-key",
                                                    "api-key",       "x-goog-api-key",      "cookie"};
  static const std::set<std::string> ours = {"host",
                                             "content-length",
                                             "transfer-encoding",
                                             "connection",
                                             "content-type",
                                             "accept",
                                             "accept-encoding",
                                             "expect",
                                             "upgrade",
                                             "te"};
  constexpr std::string_view token_characters = "!#$%&'*+-.^_`|~";
  const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || token_characters.find(c) != std::string_view::npos;
  });
  if (!token) return "is not a valid header name";
  if (credentials.count(text::lower(name)))
    return "carries a credential: the relay sends the key that the variable named in api_key_env holds";
  if (ours.count(text::lower(name))) return "is set by the relay and cannot be configured";
  const bool printable =
      std::all_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; });
  return printable ? "" : "contains a control character";
}

Problem check_address(size_t index, const Kind& kind, UpstreamConfig& upstream, const LayeredConfig& layered) {
  const std::string path = path_of_upstream(index, "base_url");
  if (upstream.kind == "demo") {
    if (upstream.base_url.empty()) return {};
    return layered.wrong(path, "is not supported by the demo model, which is built in");
  }
  if (upstream.base_url.empty()) {
    return layered.wrong(path, "is missing: for " + upstream.kind + " give " + std::string(kind.base_url));
  }
  if (!parse_http_url(upstream.base_url)) {
    return layered.wrong(path,
                         "must be http://HOST[:PORT]/PATH or https://…, without user, password, query or fragment");
  }
  while (upstream.base_url.back() == '/') upstream.base_url.pop_back();
  return {};
}

Problem check_models(size_t index, const UpstreamConfig& upstream, const LayeredConfig& layered,
                     std::set<std::string>& seen) {
  const std::string path = path_of_upstream(index, "models");
  const auto& all = layered.config.upstreams;
  const auto by_themselves = std::count_if(all.begin(), all.end(), [](const auto& u) { return !u.only_fallback; });
  if (by_themselves == 0 || (upstream.models.empty() && !upstream.only_fallback && by_themselves > 1)) {
    return layered.wrong(path, "is missing: with several upstreams, each must list its models");
  }
  for (const std::string& model : upstream.models) {
    if (model.empty() || model.size() > 256) return layered.wrong(path, "a model name must have 1 to 256 characters");
    if (!seen.insert(model).second) return layered.wrong(path, "the model \"" + model + "\" is listed twice");
  }
  return {};
}

Problem check_upstream(size_t index, LayeredConfig& layered) {
  UpstreamConfig& upstream = layered.config.upstreams[index];
  const auto wrong = [&](const std::string& key, const std::string& what) {
    return layered.wrong(path_of_upstream(index, key), what);
  };
  if (upstream.kind.empty()) return wrong("", std::string("kind is missing: use ") + kind_names);
  const Kind* kind = find_kind(upstream.kind);
  if (!kind) return wrong("kind", std::string("must be ") + kind_names);
  if (upstream.name.empty()) upstream.name = upstream.kind;
  if (!is_label(upstream.name)) return wrong("name", "must have 1 to 64 characters of A-Z a-z 0-9 . _ -");
  if (auto problem = check_address(index, *kind, upstream, layered)) return problem;
  if (upstream.background && kind->name != "openai-responses") {
    return wrong("background", "is only supported with kind = \"openai-responses\"");
  }
  if (upstream.api_key_env.empty()) upstream.api_key_env = kind->key_variable;
  if (!upstream.api_key_env.empty() && !is_variable_name(upstream.api_key_env)) {
    return wrong("api_key_env", "must be the name of an environment variable, not the key itself");
  }
  for (const auto& [name, value] : upstream.headers) {
    if (const std::string what = wrong_header(name, value); !what.empty()) return wrong("headers." + name, what);
  }
  for (const std::string& name : upstream.pass_headers) {
    if (const std::string what = wrong_header(name, ""); !what.empty()) return wrong("pass_headers", name + " " + what);
  }
  return {};
}

bool answers_for(const UpstreamConfig& upstream, const std::string& model) {
  if (upstream.models.empty()) return !upstream.only_fallback;
  return std::any_of(upstream.models.begin(), upstream.models.end(),
                     [&](const auto& glob) { return glob == model || fnmatch(glob.c_str(), model.c_str(), 0) == 0; });
}

}  // namespace

Problem check_upstreams(LayeredConfig& layered) {
  std::set<std::string> names, models;
  auto& upstreams = layered.config.upstreams;
  for (size_t index = 0; index < upstreams.size(); ++index) {
    if (auto problem = check_upstream(index, layered)) return problem;
    if (!names.insert(upstreams[index].name).second) {
      return layered.wrong(path_of_upstream(index, "name"),
                           "two upstreams have the name \"" + upstreams[index].name + "\"");
    }
  }
  if (auto problem = check_fallbacks(layered)) return problem;
  for (size_t index = 0; index < upstreams.size(); ++index) {
    if (auto problem = check_models(index, upstreams[index], layered, models)) return problem;
  }
  const std::string& wanted = layered.config.default_model;
  if (wanted.empty() || upstreams.empty()) return {};
  const bool found =
      std::any_of(upstreams.begin(), upstreams.end(), [&](const auto& u) { return answers_for(u, wanted); });
  if (!found) return layered.wrong("default_model", "no upstream serves this model");
  return {};
}

// ---- --upstream KIND=BASE_URL and TOKENRELAY_UPSTREAM replace the file's entries

namespace {

using Origins = std::map<std::string, std::string>;

// The entries of the file, removed from the configuration: the flags replace all of them.
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

  // The first entry of the kind that no flag has used yet, now as upstream[index]; else an empty one.
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

// ---- `fallback` of each upstream

namespace {

constexpr size_t most_fallbacks = 16;  // of one upstream: they may be waited for one after the other

Problem take_fallback(size_t index, const std::string& text, LayeredConfig& layered) {
  auto& upstreams = layered.config.upstreams;
  UpstreamConfig& upstream = upstreams[index];
  const auto wrong = [&](const std::string& what) { return layered.wrong(path_of_upstream(index, "fallback"), what); };
  const size_t equals = std::min(text.find('='), text.size());
  UpstreamConfig::Fallback fallback{text.substr(0, equals), text.substr(std::min(equals + 1, text.size()))};
  if (fallback.upstream == upstream.name) return wrong("\"" + upstream.name + "\" cannot fall back to itself");
  const auto named =
      std::find_if(upstreams.begin(), upstreams.end(), [&](const auto& u) { return u.name == fallback.upstream; });
  if (named == upstreams.end()) return wrong("no upstream has the name \"" + fallback.upstream + "\"");
  if (equals < text.size() && (fallback.model.empty() || fallback.model.size() > 256)) {
    return wrong("the model name must have 1 to 256 characters: write \"NAME\" or \"NAME=MODEL\"");
  }
  named->only_fallback = named->models.empty();
  upstream.fallbacks.push_back(std::move(fallback));
  return {};
}

}  // namespace

Problem check_fallbacks(LayeredConfig& layered) {
  const auto& upstreams = layered.config.upstreams;
  for (size_t index = 0; index < upstreams.size(); ++index) {
    if (upstreams[index].fallback.size() > most_fallbacks) {
      return layered.wrong(path_of_upstream(index, "fallback"), "must list at most 16 upstreams");
    }
    for (const std::string& text : upstreams[index].fallback) {
      if (auto problem = take_fallback(index, text, layered)) return problem;
    }
  }
  return {};
}

}  // namespace tokenrelay
