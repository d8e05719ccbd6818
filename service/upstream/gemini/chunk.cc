#include "service/upstream/gemini/chunk.h"

#include "service/json/joiner.h"
#include "service/json/sax.h"

namespace tokenrelay::upstream {
namespace {

using json::Reader;

// `unset`: the protobuf name of a value that was not set.
std::optional<std::string> reason(Reader& in, std::string_view unset) {
  if (in.peek() != Reader::Kind::string) return std::nullopt;
  std::string said(in.string());
  if (said.empty() || said == unset) return std::nullopt;
  return said;
}

void read_candidate(Reader& in, GeminiChunk& chunk) {
  int64_t index = 0;
  std::string_view content;
  std::optional<std::string> finish_reason;
  in.object([&](std::string_view key) {
    if (key == "index")
      index = in.integer().value_or(0);
    else if (key == "content")
      content = in.raw();
    else if (key == "finishReason")
      finish_reason = reason(in, "FINISH_REASON_UNSPECIFIED");
  });
  if (index != 0) return;
  if (finish_reason) chunk.finish_reason = std::move(finish_reason);
  if (!content.empty()) chunk.parts = content;
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

void read_call(Reader& in, GeminiPart& part) {
  part.kind = GeminiPart::Kind::function_call;
  in.object([&](std::string_view key) {
    if (key == "id")
      part.id = json::repaired(in.string());
    else if (key == "name")
      part.name = json::repaired(in.string());
    else if (key == "args" && in.peek() == Reader::Kind::object)
      part.args = in.raw();
    else if (key == "partialArgs")
      part.is_partial = true;
    else if (key == "willContinue")
      part.is_partial |= in.boolean();
  });
}

}  // namespace

GeminiChunk read_gemini_chunk(std::string_view payload, std::string& scratch) {
  GeminiChunk chunk;
  Reader in(payload, scratch);
  if (in.peek() != Reader::Kind::object) return chunk;
  in.object([&](std::string_view key) {
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
    } else if (key == "error") {
      chunk.has_error = in.peek() != Reader::Kind::null;
    }
  });
  chunk.is_json = in.at_end();
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
    }
  });
  return part;
}

void read_gemini_usage(std::string_view raw, std::string& scratch, GeminiUsage& usage) {
  Reader in(raw, scratch);
  const auto count = [&in](std::optional<uint64_t>& into) {
    const auto value = in.integer();
    if (value && *value >= 0) into = static_cast<uint64_t>(*value);
  };
  in.object([&](std::string_view key) {
    if (key == "promptTokenCount")
      count(usage.prompt);
    else if (key == "toolUsePromptTokenCount")
      count(usage.tool_prompt);
    else if (key == "candidatesTokenCount")
      count(usage.candidates);
    else if (key == "thoughtsTokenCount")
      count(usage.thoughts);
  });
}

}  // namespace tokenrelay::upstream
