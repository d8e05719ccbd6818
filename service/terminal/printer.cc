#include "service/terminal/printer.h"

#include <ostream>

namespace tokenrelay {
std::string printable(std::string_view text) {
  std::string clean;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c == 0xC2 && next >= 0x80 && next <= 0x9F) {  // U+0080 to U+009F: C1 controls
      ++i;
    } else if ((c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t') {
      clean += text[i];
    }
  }
  return clean;
}

void ChatPrinter::text(const std::string& delta) {
  const std::string shown = options_.terminal ? printable(delta) : delta;
  if (shown.empty()) return;
  if (err_inside_line_) {
    err_ << "\n" << std::flush;
    err_inside_line_ = false;
  }
  out_ << shown << std::flush;
  inside_line_ = shown.back() != '\n';
}

bool ChatPrinter::ended() const {
  std::lock_guard lock(mutex_);
  return status_.has_value();
}

int ChatPrinter::exit_status() const {
  std::lock_guard lock(mutex_);
  return status_.value_or(1);
}

void ChatPrinter::event(const ChatEvents::Event& event) {
  std::lock_guard lock(mutex_);
  show(event);
}

void ChatPrinter::notice(std::string_view text) {
  std::lock_guard lock(mutex_);
  say(text);
}

void ChatPrinter::end_line() {
  std::lock_guard lock(mutex_);
  break_line();
}

void ChatPrinter::break_line() {
  if (inside_line_) out_ << "\n" << std::flush;
  inside_line_ = false;
}

void ChatPrinter::say(std::string_view text) {
  // On a terminal both appear together; in a pipe the text stays unchanged.
  if (options_.terminal) break_line();
  if (err_inside_line_) err_ << "\n";
  err_inside_line_ = false;
  err_ << "tokenrelay: " << printable(text) << std::endl;
}

void ChatPrinter::show(const ChatEvents::Event& event) {
  if (options_.show_ids && event.type != "resumed") err_ << printable(event.id) << "\n";
  if (event.type == "done") return done(event.data);
  const auto data = json::parse(event.data);
  if (!data) return say("an event that is not JSON was skipped");
  if (event.type.empty() || event.type == "message") {
    text(json::word(*data, "delta"));
  } else if (event.type == "reasoning" && options_.show_reasoning) {
    const std::string shown = printable(json::word(*data, "delta"));
    err_ << (options_.terminal ? "\033[2m" + shown + "\033[0m" : shown) << std::flush;
    if (!shown.empty()) err_inside_line_ = shown.back() != '\n';
  } else if (event.type == "tool_call") {
    tool_call(*data);
  } else if (event.type == "resumed" && json::word(*data, "verdict") == "reset") {
    break_line();
    tool_call_.reset();
    say("the stream could not be resumed at this point; it starts over");
  } else if (event.type == "steer") {
    steered(json::word(*data, "content"));
  } else if (event.type == "upstream") {
    say("the model is called again: " + json::word(*data, "reason"));
  }
}

// What follows is another answer. A line break shows that on a terminal; a pipe gets the text as the stream has it.
void ChatPrinter::steered(const std::string& content) {
  if (options_.terminal) break_line();
  if (err_inside_line_) err_ << "\n";
  err_inside_line_ = false;
  tool_call_.reset();
  err_ << "↪ steering: " << printable(content) << std::endl;
}

void ChatPrinter::tool_call(const json::Value& data) {
  const auto* index = data.is_object() && data.contains("index") ? &data["index"] : nullptr;
  if (index == nullptr || !index->is_number_integer()) return;
  if (tool_call_ != index->get<int64_t>()) {
    tool_call_ = index->get<int64_t>();
    say("the model calls " + json::word(data, "name") + " with:");
  }
  const std::string arguments = printable(json::word(data, "arguments_delta"));
  err_ << arguments << std::flush;
  if (!arguments.empty()) err_inside_line_ = true;
}

void ChatPrinter::done(std::string_view text) {
  break_line();
  if (err_inside_line_) err_ << std::endl;
  err_inside_line_ = false;
  const auto data = json::parse(text);
  const std::string status = data ? json::word(*data, "status") : "";
  status_ = status == "completed" || status == "cancelled" ? 0 : 1;
  if (status == "completed") {
    const std::string reason = json::word(*data, "finish_reason");
    if (reason == "length") say("the answer was cut at the model's length limit");
    if (reason == "content_filter") say("the answer was stopped by a content filter");
    return;
  }
  std::string words = status.empty() ? "the stream ended in an unknown way" : status;
  if (data && data->contains("error") && (*data)["error"].is_object()) {
    words += ": " + json::word((*data)["error"], "code") + ": " + json::word((*data)["error"], "message");
  }
  say(words);
}

}  // namespace tokenrelay
