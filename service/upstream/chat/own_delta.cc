#include "service/upstream/chat/own_delta.h"

#include "service/json/sax.h"

namespace tokenrelay::upstream {
namespace {

using json::Reader;

bool is_blank(std::string_view raw) {
  return raw == "null" || raw == "\"\"" || raw == "[]" || raw == "{}";
}

bool is_string(std::string_view raw) {
  return raw.size() > 2 && raw.front() == '"';
}

class OwnDeltaReader {
 public:
  explicit OwnDeltaReader(std::string& scratch) : scratch_(scratch) {}

  ChatOwnDelta read(std::string_view payload) {
    Reader in(payload, scratch_);
    in.object([&](std::string_view key) {
      if (key == "choices") in.array([&] { choice(in.raw()); });
    });
    if (strings_ != 1 || others_ || choices_ != 1) out_.said = {};
    return out_;
  }

 private:
  void choice(std::string_view raw) {
    ++choices_;
    Reader in(raw, scratch_);
    in.object([&](std::string_view key) {
      if (key == "index") {
        others_ |= in.integer().value_or(0) != 0;
      } else if (key == "delta") {
        delta(in.raw());
      } else if (key == "message" || key == "text") {
        others_ = out_.shows = true;
      } else if (key == "logprobs") {
        others_ |= !is_blank(in.raw());  // of this delta alone
      }
    });
  }

  void delta(std::string_view raw) {
    Reader in(raw, scratch_);
    in.object([&](std::string_view key) {
      const bool text = key == "content";
      const bool reasoning = key == "reasoning_content" || key == "reasoning" || key == "reasoning_text";
      const bool calls = key == "tool_calls", role = key == "role";
      const std::string_view value = in.raw();
      if (role || is_blank(value)) return;
      out_.shows = true;
      if (calls) return call(value);
      if (text || reasoning) return string(value, text ? OwnEvent::Voice::text : OwnEvent::Voice::reasoning);
      others_ = true;
    });
  }

  void call(std::string_view raw) {
    int64_t elements = 0;
    Reader in(raw, scratch_);
    in.array([&] {
      ++elements;
      in.object([&](std::string_view key) {
        const bool function = key == "function", index = key == "index", type = key == "type";
        if (index) {
          out_.call = in.integer();
        } else if (function) {
          arguments(in.raw());
        } else if (!type) {
          others_ |= !is_blank(in.raw());
        }
      });
    });
    others_ |= elements != 1;
  }

  void arguments(std::string_view raw) {
    Reader in(raw, scratch_);
    in.object([&](std::string_view key) {
      const bool is_arguments = key == "arguments";
      const std::string_view value = in.raw();
      if (is_blank(value)) return;
      if (!is_arguments) {
        others_ = true;
      } else {
        string(value, OwnEvent::Voice::tool_call);
      }
    });
  }

  void string(std::string_view raw, OwnEvent::Voice voice) {
    ++strings_;
    others_ |= !is_string(raw);
    if (!is_string(raw)) return;
    out_.said = raw.substr(1, raw.size() - 2);
    out_.voice = voice;
  }

  std::string& scratch_;
  ChatOwnDelta out_;
  int choices_ = 0, strings_ = 0;
  bool others_ = false;  // something that no shape says
};

}  // namespace

ChatOwnDelta read_own_delta(std::string_view payload, std::string& scratch) {
  return OwnDeltaReader(scratch).read(payload);
}

}  // namespace tokenrelay::upstream
