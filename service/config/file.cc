// Reads the TOML file: every key must be in the table of keys; anything else is an error with its line.
#include <toml++/toml.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "service/config/keys.h"
#include "service/config/layers.h"

namespace tokenrelay {
namespace {

constexpr std::uintmax_t largest_file = 1 << 20;

struct Reader {
  std::string file;
  LayeredConfig& layered;

  std::string place(const toml::source_region& source) const { return file + ":" + std::to_string(source.begin.line); }
  ConfigError wrong(const toml::source_region& source, const std::string& path, const std::string& what) const {
    return {place(source) + ": " + path + ": " + what};
  }

  Problem top(const toml::table& table);
  Problem section(std::string_view section, const toml::table& table);
  Problem upstreams(const toml::node& node, const toml::source_region& source);
  Problem upstream(const std::string& path, const toml::table& table, UpstreamConfig& upstream);
  Problem headers(const std::string& path, const toml::node& node, UpstreamConfig& upstream);
  Problem unknown(const toml::key& key, const std::string& path) const;

  template <typename Owner>
  Problem value(const Key<Owner>& key, Owner& owner, const std::string& path, const toml::key& name,
                const toml::node& node);
};

template <typename Owner>
std::string set_list(const Key<Owner>& key, Owner& owner, const toml::array& array) {
  const auto* place = std::get_if<std::vector<std::string>& (*)(Owner&)>(&key.member);
  if (!place) return "must be " + std::string(type_name(key));
  std::vector<std::string> list;
  for (const toml::node& each : array) {
    const auto text = each.value_exact<std::string>();
    if (!text) return "must be " + std::string(type_name(key));
    list.push_back(*text);
  }
  (*place)(owner) = std::move(list);
  return "";
}

template <typename Owner>
std::string set_value(const Key<Owner>& key, Owner& owner, const toml::node& node) {
  if (const auto* array = node.as_array()) return set_list(key, owner, *array);
  if (const auto text = node.value_exact<std::string>()) return set_text(key, owner, *text);
  if (const auto number = node.value_exact<int64_t>()) return set_number(key, owner, *number);
  const auto flag = node.value_exact<bool>();
  const auto* place = std::get_if<bool& (*)(Owner&)>(&key.member);
  if (!flag || !place) return "must be " + std::string(type_name(key));
  (*place)(owner) = *flag;
  return "";
}

template <typename Owner>
Problem Reader::value(const Key<Owner>& key, Owner& owner, const std::string& path, const toml::key& name,
                      const toml::node& node) {
  layered.origins[path] = place(name.source());
  const std::string what = set_value(key, owner, node);
  if (what.empty()) return {};
  return wrong(name.source(), path, what);
}

template <typename Owner>
const Key<Owner>* find_key(std::span<const Key<Owner>> keys, std::string_view section, std::string_view name) {
  for (const auto& key : keys) {
    if (key.section == section && key.name == name) return &key;
  }
  return nullptr;
}

bool is_section(std::string_view name) {
  for (const auto& key : config_keys()) {
    if (!name.empty() && key.section == name) return true;
  }
  return false;
}

Problem Reader::unknown(const toml::key& key, const std::string& path) const {
  if (path.find("api_key") != std::string::npos) {
    return wrong(key.source(), path,
                 "unknown key: API keys are read from the environment; set api_key_env to the name of the variable");
  }
  return wrong(key.source(), path, "unknown key");
}

Problem Reader::section(std::string_view section, const toml::table& table) {
  for (auto&& [name, node] : table) {
    const std::string path = path_of(section, name.str());
    const auto* key = find_key(config_keys(), section, name.str());
    auto problem = key ? value(*key, layered.config, path, name, node) : unknown(name, path);
    if (problem) return problem;
  }
  return {};
}

Problem Reader::headers(const std::string& path, const toml::node& node, UpstreamConfig& upstream) {
  const auto* table = node.as_table();
  if (!table) return wrong(node.source(), path, "must be a table of strings");
  for (auto&& [name, content] : *table) {
    const auto text = content.value_exact<std::string>();
    layered.origins[path + "." + std::string(name.str())] = place(name.source());
    if (!text) return wrong(name.source(), path + "." + std::string(name.str()), "must be a string in quotes");
    upstream.headers.emplace_back(name.str(), *text);
  }
  return {};
}

Problem Reader::upstream(const std::string& path, const toml::table& table, UpstreamConfig& upstream) {
  for (auto&& [name, node] : table) {
    const std::string at = path + "." + std::string(name.str());
    if (name.str() == "headers") {
      if (auto problem = headers(at, node, upstream)) return problem;
      continue;
    }
    const auto* key = find_key(upstream_keys(), "upstream", name.str());
    auto problem = key ? value(*key, upstream, at, name, node) : unknown(name, at);
    if (problem) return problem;
  }
  return {};
}

Problem Reader::upstreams(const toml::node& node, const toml::source_region& source) {
  const auto* array = node.as_array();
  if (!array) return wrong(source, "upstream", "must be a list: write [[upstream]]");
  for (const toml::node& each : *array) {
    const auto* table = each.as_table();
    if (!table) return wrong(source, "upstream", "must be a list of tables: write [[upstream]]");
    const std::string path = "upstream[" + std::to_string(layered.config.upstreams.size()) + "]";
    layered.origins[path] = place(table->source());
    UpstreamConfig entry;
    if (auto problem = upstream(path, *table, entry)) return problem;
    layered.config.upstreams.push_back(std::move(entry));
  }
  return {};
}

Problem Reader::top(const toml::table& table) {
  for (auto&& [name, node] : table) {
    const std::string path(name.str());
    Problem problem;
    if (path == "upstream") {
      problem = upstreams(node, name.source());
    } else if (is_section(path)) {
      problem = node.is_table() ? section(path, *node.as_table())
                                : wrong(name.source(), path, "must be a section: write [" + path + "]");
    } else if (const auto* key = find_key(config_keys(), "", path)) {
      problem = value(*key, layered.config, path, name, node);
    } else {
      problem = unknown(name, path);
    }
    if (problem) return problem;
  }
  return {};
}

}  // namespace

Problem read_config_file(const std::string& file, LayeredConfig& layered) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) return ConfigError{file + ": is a directory, not a file"};
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return ConfigError{file + ": cannot be read: " + std::generic_category().message(errno)};
  std::string text(largest_file + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > largest_file) return ConfigError{file + ": is larger than 1 MiB"};
  try {
    const toml::table table = toml::parse(text);
    return Reader{file, layered}.top(table);
  } catch (const toml::parse_error& wrong) {
    return ConfigError{file + ":" + std::to_string(wrong.source().begin.line) +
                       ": invalid TOML: " + std::string(wrong.description())};
  } catch (const std::exception& other) {
    return ConfigError{file + ": " + other.what()};
  }
}

}  // namespace tokenrelay
