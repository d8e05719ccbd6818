// Prompt: a ModelRequest read into types. Every dialect except `openai` translates from it.
//
// The neutral request. `messages` are those of OpenAI's Chat Completions:
//   {"role":"system"|"developer","content":TEXT}
//   {"role":"user","content":TEXT}
//   {"role":"assistant","content":TEXT|null,"tool_calls":[{"id","type":"function","function":{"name","arguments"}}],
//    "reasoning_content":"…"?}
//   {"role":"tool","tool_call_id":"…","content":TEXT,"is_error":true?}
// TEXT is a string or an array of parts:
//   {"type":"text","text"}                                   everywhere
//   {"type":"image_url","image_url":{"url":"https:…"|"data:…"}}
//   {"type":"input_audio","input_audio":{"data","format"}}
//   {"type":"file","file":{"file_data":"data:…"|"file_url":"https:…"|"file_id","filename"?}}
//   {"type":"refusal","refusal"}                             assistant
// and, beyond OpenAI's API, what a provider wants back unchanged (CallHandler::on_opaque), on assistant turns:
//   {"type":"thinking","thinking":"…","signature":"…"}       Anthropic
//   {"type":"redacted_thinking","data":"…"}                  Anthropic
//   {"type":"reasoning","id":"…","encrypted_content":"…","summary":[…]}   OpenAI's Responses
//   tool_calls[i].extra_content.google.thought_signature     Gemini; also on a text part
// `parameters` are the other members of a Chat Completions request, by the same names, and "top_k". Members of one
// dialect only are in "x_anthropic", "x_gemini" or "x_responses": {"body":{members},"headers":{…}}; the other dialects
// refuse them.
//
// Left out on purpose for other dialects: `cache_control` marks (they do not change the answer), and the reasoning of
// earlier turns (providers do not need each other's).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "service/json/parse.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

struct PromptPart {
  enum class Kind { text, image, audio, file, refusal, thinking, redacted_thinking, reasoning };
  Kind kind = Kind::text;
  std::string text;              // text, refusal, thinking
  std::string url;               // image, file: not a data: URL
  std::string media_type, data;  // image, audio, file: base64; redacted_thinking: data alone
  std::string file_id, filename;
  std::string signature;  // thinking; a text part's thought_signature
  json::Value raw;        // the part as received: cache_control, reasoning items, extras of one dialect
};

struct PromptToolCall {
  std::string id, name;
  std::string arguments;  // JSON text, never empty: "{}"
  std::string thought_signature;
};

struct PromptMessage {
  enum class Role { system, user, assistant, tool };
  Role role = Role::user;
  std::vector<PromptPart> parts;
  std::vector<PromptToolCall> tool_calls;  // assistant
  std::string tool_call_id, name;          // tool
  bool is_error = false;                   // tool
  size_t place = 0;                        // in the request: messages[place]
};

struct PromptTool {
  std::string name, description;
  json::Value parameters;  // JSON Schema; null: none
  std::optional<bool> strict;
  json::Value raw;  // the tool as received; a tool that is not a function has only this
  bool is_function = true;
};

struct ToolChoice {
  enum class Kind { unset, automatic, none, required, named } kind = Kind::unset;
  std::string name;
};

struct Prompt {
  std::vector<PromptMessage> messages;
  std::vector<PromptTool> tools;
  ToolChoice tool_choice;
  std::vector<std::string> stop;
  std::optional<uint64_t> max_tokens;  // max_completion_tokens, else max_tokens
  json::Value others;                  // every parameter not named above, by name: each must be translated or refused
};

tl::expected<Prompt, UnsupportedField> read_prompt(const ModelRequest& request);

// "messages[2].content[0]"
std::string path_of(const PromptMessage& message);
std::string path_of(const PromptMessage& message, size_t part);

// A base64 data: URL taken apart; nullopt for any other URL.
struct DataUrl {
  std::string media_type, data;
};
std::optional<DataUrl> parse_data_url(std::string_view url);

// The text parts joined.
std::string text_of(const std::vector<PromptPart>& parts);

// Whether a parameter that a dialect does not support may be left out, because it says nothing or asks for what happens
// anyway. Clients send such values, and no such value is a reason to refuse a request.
bool changes_nothing(std::string_view name, const json::Value& value);

// A parameter that the relay itself sets in the upstream's request: no client may give it (PROTOCOL.md, Create).
bool is_own_parameter(std::string_view name);

}  // namespace tokenrelay::upstream
