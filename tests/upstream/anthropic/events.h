// The payloads of an answer in Messages.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

inline std::string start_of(const nlohmann::json& block, int index = 0) {
  return nlohmann::json{{"type", "content_block_start"}, {"index", index}, {"content_block", block}}.dump();
}
inline std::string delta_of(const nlohmann::json& delta, int index = 0) {
  return nlohmann::json{{"type", "content_block_delta"}, {"index", index}, {"delta", delta}}.dump();
}
inline std::string text_of(const std::string& text, int index = 0) {
  return delta_of({{"type", "text_delta"}, {"text", text}}, index);
}
inline std::string stop_of(int index = 0) {
  return nlohmann::json{{"type", "content_block_stop"}, {"index", index}}.dump();
}
inline std::string finish_of(const nlohmann::json& reason, const nlohmann::json& usage = {{"output_tokens", 7}}) {
  return nlohmann::json{{"type", "message_delta"}, {"delta", {{"stop_reason", reason}}}, {"usage", usage}}.dump();
}
inline std::string tool_of(const std::string& id, const std::string& name, int index) {
  return start_of({{"type", "tool_use"}, {"id", id}, {"name", name}, {"input", nlohmann::json::object()}}, index);
}
inline std::string input_of(const std::string& piece, int index) {
  return delta_of({{"type", "input_json_delta"}, {"partial_json", piece}}, index);
}
inline const std::string text_start = start_of({{"type", "text"}, {"text", ""}});
inline const std::string message_stop = R"({"type":"message_stop"})";
inline const std::string ping = R"({"type":"ping"})";
