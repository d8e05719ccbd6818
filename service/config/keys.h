// The one table of keys: the file, the environment, the sample file and the tests are all read from it, so they agree.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "service/config/config.h"

namespace tokenrelay {

// Where a key's value is in its owner (Config or UpstreamConfig); the alternative gives its type.
template <typename Owner>
using Member = std::variant<std::string& (*)(Owner&), bool& (*)(Owner&), int64_t& (*)(Owner&), uint64_t& (*)(Owner&),
                            uint32_t& (*)(Owner&), std::vector<std::string>& (*)(Owner&)>;

template <typename Owner>
struct Key {
  std::string_view section;  // "": top level
  std::string_view name;
  Member<Owner> member;
  std::string_view comment;
  int64_t min = 0, max = INT64_MAX;  // numbers
  std::string_view choices = "";     // strings: allowed values, split by '|'; "": any
  std::string_view example = "";     // shown in the sample instead of an empty default
  bool restart = false;              // a reload does not apply it
};

std::span<const Key<Config>> config_keys();
std::span<const Key<UpstreamConfig>> upstream_keys();  // without `headers`, which is a table

// "limits.live_streams", "listen"; TOKENRELAY_LIMITS_LIVE_STREAMS, TOKENRELAY_LISTEN.
std::string path_of(std::string_view section, std::string_view name);
std::string variable_of(const Key<Config>& key);

// Set a value of the right type; returns "" or what is wrong with it ("must be 1 to 64").
template <typename Owner>
std::string set_number(const Key<Owner>& key, Owner& owner, int64_t value);
template <typename Owner>
std::string set_text(const Key<Owner>& key, Owner& owner, std::string value);
// From text, whatever the key's type: for the environment and the flags. A list is split at commas.
std::string set_from_text(const Key<Config>& key, Config& config, const std::string& text);

// The type of the key, in words: "a whole number", "true or false", "a string in quotes", "a list of strings".
template <typename Owner>
std::string_view type_name(const Key<Owner>& key);

}  // namespace tokenrelay
