#include "service/json/parse.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "service/json/write.h"

namespace tokenrelay::json {
namespace {

// Builds the DOM from nlohmann's SAX events. Its own builder has no depth limit, looks each key up in a vector
// (quadratic in the number of keys) and lets a duplicate key win silently.
class Builder : public nlohmann::json_sax<Value> {
 public:
  explicit Builder(Limits limits) : limits_(limits) {}

  bool null() override { return place(nullptr); }
  bool boolean(bool value) override { return place(value); }
  bool number_integer(number_integer_t value) override { return place(value); }
  bool number_unsigned(number_unsigned_t value) override { return place(value); }
  bool number_float(number_float_t value, const string_t&) override { return place(value); }
  bool string(string_t& value) override { return place(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Value::object()); }
  bool start_array(size_t) override { return open(Value::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    if (!open_.back().keys.insert(value).second) return refuse("duplicate key in an object");
    open_.back().key = std::move(value);
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    return refuse(words_of(error.what()));
  }

  Value root;
  std::string message;
  bool at_end = false;  // the text ended too early

 private:
  struct Open {
    Value value;
    std::string key;             // of the member being read
    std::set<std::string> keys;  // ordered, not hashed: a client cannot make keys collide
  };

  bool refuse(std::string why) {
    message = std::move(why);
    at_end = message.find("end of input") != message.npos;
    return false;
  }

  bool open(Value container) {
    if (static_cast<int>(open_.size()) >= limits_.depth)
      return refuse("nested deeper than " + std::to_string(limits_.depth));
    if (!counts()) return false;
    open_.push_back({std::move(container), {}, {}});
    return true;
  }

  bool close() {
    Value done = std::move(open_.back().value);
    open_.pop_back();
    return put(std::move(done));
  }

  bool counts() {
    return ++values_ <= limits_.values || refuse("more than " + std::to_string(limits_.values) + " values");
  }

  bool place(Value value) { return counts() && put(std::move(value)); }

  bool put(Value value) {
    if (open_.empty()) {
      root = std::move(value);
      return true;
    }
    Open& top = open_.back();
    if (top.value.is_array()) {
      top.value.get_ref<Value::array_t&>().push_back(std::move(value));
    } else {
      auto& members = top.value.get_ref<Value::object_t&>();
      static_cast<Value::object_t::Container&>(members).emplace_back(std::move(top.key), std::move(value));
    }
    return true;
  }

  // "... syntax error while parsing object separator - unexpected '}'; expected ':'" without what was read, which is
  // private.
  static std::string words_of(std::string_view what) {
    if (what.find("out_of_range") != what.npos) return "number out of range";
    const size_t dash = what.find(" - ");
    if (dash != what.npos) what.remove_prefix(dash + 3);
    what = what.substr(0, what.find("; last read:"));
    return std::string(what);
  }

  const Limits limits_;
  size_t values_ = 0;
  std::vector<Open> open_;
};

// Reads the text and counts how far it got, since nlohmann gives positions only for its own errors.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    ++at;
    ++*count;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at == other.at; }
  bool operator!=(const CountingIterator& other) const { return at != other.at; }

  const char* at;
  size_t* count;
};

ParseError error_at(std::string_view text, size_t offset, const std::string& message) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  return {"line " + std::to_string(line) + ", column " + std::to_string(before.size() - line_start + 1) + ": " +
          message};
}

}  // namespace

tl::expected<Value, ParseError> parse(std::string_view text, Limits limits) {
  // nlohmann's lexer takes a NUL for the end of the input and would accept anything after it.
  if (const size_t nul = text.find('\0'); nul != text.npos)
    return tl::unexpected(error_at(text, nul, "unexpected NUL byte"));
  Builder builder(limits);
  size_t read = 0;
  const CountingIterator begin{text.data(), &read}, end{text.data() + text.size(), &read};
  if (!Value::sax_parse(begin, end, &builder)) {
    // The offending character is the last one read.
    return tl::unexpected(error_at(text, builder.at_end ? text.size() : read - 1, builder.message));
  }
  return std::move(builder.root);
}

std::string dump(const Value& value) {
  return escaped(value.dump(-1, ' ', false, Value::error_handler_t::replace));
}

std::string word(const Value& object, const char* name) {
  if (!object.is_object()) return {};
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace tokenrelay::json
