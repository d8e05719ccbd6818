#include "service/json/exact.h"

#include <charconv>

#include "service/json/joiner.h"
#include "service/json/sax.h"
#include "service/json/write.h"

namespace tokenrelay::json {
namespace {

// A value that is written with the same characters, or those characters themselves.
Value number_of(std::string_view digits) {
  int64_t whole = 0;
  const char* const end = digits.data() + digits.size();
  if (const auto read = std::from_chars(digits.data(), end, whole);
      read.ec == std::errc() && read.ptr == end && digits != "-0") {
    if (whole >= 0) return static_cast<uint64_t>(whole);
    return whole;
  }
  return Value::binary({digits.begin(), digits.end()});
}

class Builder {
 public:
  explicit Builder(std::string_view text) : in_(text, scratch_, deepest) {}

  std::optional<Value> build() {
    Value value = next();
    if (!in_.at_end()) return std::nullopt;
    return value;
  }

 private:
  Value next() {
    switch (in_.peek()) {
      case Reader::Kind::object: {
        Value object = Value::object();
        in_.object([&](std::string_view key) {
          const std::string name(key);
          object[name] = next();
        });
        return object;
      }
      case Reader::Kind::array: {
        Value array = Value::array();
        in_.array([&] { array.push_back(next()); });
        return array;
      }
      case Reader::Kind::string:
        return std::string(in_.string());
      case Reader::Kind::number:
        return number_of(in_.number());
      case Reader::Kind::boolean:
        return in_.boolean();
      case Reader::Kind::null:
      case Reader::Kind::nothing:
        break;
    }
    in_.skip();
    return nullptr;
  }

  std::string scratch_;
  Reader in_;
};

void append(std::string& out, const Value& value) {
  if (value.is_object()) {
    out += '{';
    for (auto member = value.begin(); member != value.end(); ++member) {
      if (member != value.begin()) out += ',';
      append_string(out, repaired(member.key()));
      out += ':';
      append(out, member.value());
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ',';
      append(out, value[i]);
    }
    out += ']';
  } else if (value.is_string()) {
    append_string(out, repaired(value.get_ref<const std::string&>()));
  } else if (value.is_binary()) {
    const auto& digits = value.get_binary();
    out.append(digits.begin(), digits.end());
  } else {
    out += dump(value);
  }
}

}  // namespace

std::optional<Value> parse_exact(std::string_view text) {
  return Builder(text).build();
}

std::string dump_exact(const Value& value) {
  std::string out;
  append(out, value);
  return out;
}

}  // namespace tokenrelay::json
