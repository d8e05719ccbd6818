// Reading an event stream (WHATWG HTML, "Server-sent events"): bytes in, cut anywhere; whole events out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay {

class ChatEvents {
 public:
  struct Event {
    std::string type;  // "" is the unnamed event
    std::string data;
    std::string id;  // the last event id, as of this event
  };
  using OnEvent = std::function<void(const Event&)>;

  explicit ChatEvents(OnEvent on_event) : on_event_(std::move(on_event)) {}

  bool feed(std::string_view bytes);  // false: a line or an event over 4 MiB; read no further
  void reconnected();                 // drops an incomplete event; keeps the last event id

  const std::string& last_id() const { return last_id_; }
  std::optional<int64_t> retry_ms() const { return retry_ms_; }

 private:
  void line(std::string_view text);
  void dispatch();

  OnEvent on_event_;
  std::string partial_, type_, data_, id_, last_id_;
  bool has_data_ = false, after_cr_ = false, first_line_ = true;
  std::optional<int64_t> retry_ms_;
};

}  // namespace tokenrelay
