#include "service/upstream/gemini/chunk.h"

#include "service/json/joiner.h"
#include "service/json/sax.h"
#include "service/upstream/error.h"
#include "service/upstream/token_count.h"

namespace tokenrelay::upstream {
namespace {

using json::Reader;

// `unset`: the protobuf name of a value that was not set.
std::optional<std::string> reason(Reader& in, std::string_view unset) {
  if (in.peek() != Reader::Kind::string) return std::nullopt;
  std::string said(in.string());
  if (said.empty() || said == "null" || said == unset) return std::nullopt;
  return said;
}

void read_candidate(Reader& in, GeminiChunk& chunk) {
  int64_t index = 0;
  std::string_view content, error;
  std::optional<std::string> finish_reason;
  std::string finish_message;
  in.object([&](std::string_view key) {
    if (key == "index")
      index = in.integer().value_or(0);
    else if (key == "content")
      content = in.raw();
    else if (key == "finishReason")
      finish_reason = reason(in, "FINISH_REASON_UNSPECIFIED");
    else if (key == "finishMessage")
      finish_message = in.string();
    else if (key == "error")
      error = in.raw();
    else if (key == "groundingMetadata")
      chunk.is_grounded |= in.raw().size() > std::string_view("{}").size();
  });
  if (index != 0) return;
  if (!finish_message.empty()) chunk.finish_message = std::move(finish_message);
  if (finish_reason) chunk.finish_reason = std::move(finish_reason);
  if (!content.empty()) chunk.parts = content;
  if (!error.empty()) chunk.error = error;
}

// The parts of {"parts":[…],"role"}.
std::string_view parts_of(std::string_view content, std::string& scratch) {
  std::string_view parts;
  Reader in(content, scratch);
  in.object([&](std::string_view key) {
    if (key == "parts") parts = in.raw();
  });
  return parts;
}

// An object, or the text of one. What is neither is handed on all the same: the client has to see it.
std::string arguments(Reader& in) {
  switch (in.peek()) {
    case Reader::Kind::string:
      return json::repaired(in.string());
    case Reader::Kind::null:
      in.skip();
      return {};
    default:
      return json::repaired(in.raw());
  }
}

void read_call(Reader& in, GeminiPart& part) {
  part.kind = GeminiPart::Kind::function_call;
  in.object([&](std::string_view key) {
    if (key == "id")
      part.id = json::repaired(in.string());
    else if (key == "name")
      part.name = json::repaired(in.string());
    else if (key == "args")
      part.args = arguments(in);
    else if (key == "partialArgs")
      part.is_partial = true;
    else if (key == "willContinue")
      part.is_partial |= in.boolean();
  });
}

void read_response(Reader& in, GeminiChunk& chunk);

void read_member(std::string_view key, Reader& in, GeminiChunk& chunk) {
  if (key == "candidates") {
    chunk.is_response = true;
    in.array([&] { read_candidate(in, chunk); });
  } else if (key == "promptFeedback") {
    chunk.is_response = true;
    in.object([&](std::string_view member) {
      if (member == "blockReason") chunk.block_reason = reason(in, "BLOCK_REASON_UNSPECIFIED");
    });
  } else if (key == "usageMetadata") {
    chunk.is_response = true;
    chunk.usage = in.raw();
  } else if (key == "responseId") {
    chunk.id = std::string(in.string().substr(0, 256));
  } else if (key == "error") {
    chunk.has_error |= read_error(in).has_value();
  } else if (key == "response" && in.peek() == Reader::Kind::object) {
    read_response(in, chunk);
  }
}

void read_response(Reader& in, GeminiChunk& chunk) {
  in.object([&](std::string_view key) { read_member(key, in, chunk); });
}

}  // namespace

GeminiChunk read_gemini_chunk(std::string_view payload, std::string& scratch) {
  GeminiChunk chunk;
  Reader in(payload, scratch);
  if (in.peek() != Reader::Kind::object) {
    chunk.is_json = payload == "null";
    return chunk;
  }
  read_response(in, chunk);
  chunk.is_json = in.at_end();
  if (chunk.is_json && !chunk.is_response) chunk.has_error |= error_without_name(payload).has_value();
  if (!chunk.parts.empty()) chunk.parts = parts_of(chunk.parts, scratch);
  return chunk;
}

GeminiPart read_gemini_part(std::string_view raw, std::string& scratch) {
  GeminiPart part;
  Reader in(raw, scratch);
  in.object([&](std::string_view key) {
    if (key == "text") {
      part.kind = GeminiPart::Kind::text;
      part.text = in.raw();
    } else if (key == "thought") {
      part.is_thought = in.boolean();
    } else if (key == "thoughtSignature") {
      part.signature = in.raw();
    } else if (key == "functionCall" && in.peek() == Reader::Kind::object) {
      read_call(in, part);
    } else if (in.peek() == Reader::Kind::object) {
      part.type = key;  // inlineData, executableCode, …
    }
  });
  return part;
}

namespace {

// [{"modality":"TEXT","tokenCount":30},{"modality":"AUDIO","tokenCount":7}]
std::optional<uint64_t> read_audio(Reader& in) {
  std::optional<uint64_t> audio;
  if (in.peek() != Reader::Kind::array) return audio;
  in.array([&] {
    std::optional<uint64_t> count;
    bool is_audio = false;
    in.object([&](std::string_view key) {
      if (key == "modality" && in.peek() == Reader::Kind::string)
        is_audio = in.string() == "AUDIO";
      else if (key == "tokenCount")
        count = read_count(in);
    });
    if (is_audio) audio = count;
  });
  return audio;
}

}  // namespace

void read_gemini_usage(std::string_view raw, std::string& scratch, GeminiUsage& usage) {
  Reader in(raw, scratch);
  in.object([&](std::string_view key) {
    if (key == "promptTokenCount")
      update_count(usage.prompt, read_count(in));
    else if (key == "toolUsePromptTokenCount")
      update_count(usage.tool_prompt, read_count(in));
    else if (key == "candidatesTokenCount")
      update_count(usage.candidates, read_count(in));
    else if (key == "thoughtsTokenCount")
      update_count(usage.thoughts, read_count(in));
    else if (key == "cachedContentTokenCount")
      update_count(usage.cached, read_count(in));
    else if (key == "promptTokensDetails")
      update_count(usage.prompt_audio, read_audio(in));
    else if (key == "candidatesTokensDetails")
      update_count(usage.candidates_audio, read_audio(in));
  });
}

}  // namespace tokenrelay::upstream
