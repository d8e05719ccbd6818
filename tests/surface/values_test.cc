// Values of the wrong kind, and values that say nothing, in every member of every surface's requests, for every kind of
// upstream.
#include <random>

#include "service/json/blank.h"
#include "service/surface/anthropic/request.h"
#include "service/surface/chat/request.h"
#include "service/surface/gemini/request.h"
#include "service/surface/responses/request.h"
#include "service/surface/ui/request.h"
#include "service/upstream/anthropic/request.h"
#include "service/upstream/chat/request.h"
#include "service/upstream/gemini/request.h"
#include "service/upstream/responses/request.h"
#include "tests/support/catch.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

const std::vector<std::string> kinds = {"openai", "openai-responses", "anthropic", "gemini", "demo"};

// "" if a request is taken by the surface and by the upstream's dialect, else why it is not.
std::string why_not(const tl::expected<SurfaceRequest, Error>& read, const std::string& kind) {
  if (!read) return read.error().param + ": " + read.error().message;
  const upstream::ModelRequest request{"gemini-2.5-flash", read->messages, read->parameters, "req_1"};
  const auto told = [](const auto& done) {
    return done ? std::string() : done.error().field + ": " + done.error().why;
  };
  if (kind == "anthropic") return told(upstream::anthropic_body(request));
  if (kind == "gemini") return told(upstream::gemini_body(request));
  if (kind == "openai-responses") return told(upstream::responses_request(request, false));
  const auto refused = kind == "openai" ? upstream::openai_refuses(request) : std::nullopt;
  return refused ? refused->field + ": " + refused->why : std::string();
}

template <class Request>
tl::expected<SurfaceRequest, Error> plain(tl::expected<Request, Error> read) {
  if (!read) return tl::make_unexpected(read.error());
  return SurfaceRequest(std::move(*read));
}

struct Surface {
  std::string name;
  std::function<tl::expected<SurfaceRequest, Error>(const Value& body, const std::string& kind)> read;
  std::string small;  // a request without anything that is optional
  std::string full;   // one with most of what there is
};

const std::vector<Surface> surfaces = {
    {"chat",
     [](const Value& body, const std::string& kind) {
       return plain(parse_chat_request(json::dump(body), 64, [&](const std::string&) { return kind; }));
     },
     R"({"model":"m","messages":[{"role":"user","content":"x"}]})",
     R"({"model":"m","messages":[{"role":"system","content":"s"},
         {"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://x/y"}},
          {"type":"input_audio","input_audio":{"data":"YQ==","format":"wav"}},
          {"type":"file","file":{"file_data":"data:text/plain;base64,YQ==","filename":"f"}}]},
         {"role":"assistant","content":null,"refusal":null,"function_call":null,"audio":null,"tool_calls":[
          {"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"YQ=="}}}]},
         {"role":"tool","tool_call_id":"c","content":"r"}],
         "max_tokens":9,"stop":["a"],"tools":[{"type":"function","function":{"name":"f","description":"d",
         "parameters":{"type":"object","properties":{}},"strict":true}}],"tool_choice":{"type":"function","function":
         {"name":"f"}},"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},
         "stream":true,"stream_options":{"include_usage":true},"n":1,"user":"u","metadata":{"a":"b"},"logit_bias":{"1":2},
         "x_anthropic":{"body":{"thinking":{"type":"adaptive"}},"headers":{"anthropic-beta":"b"}},
         "x_gemini":{"body":{"generationConfig":{"candidateCount":1},"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}},
         "x_responses":{"body":{"text":{"verbosity":"low"},"reasoning":{"summary":"auto"},"tools":[]}},
         "reasoning_effort":"low","seed":1,"temperature":1,"parallel_tool_calls":false})"},
    {"responses",
     [](const Value& body, const std::string& kind) { return plain(read_responses_request(body, {}, kind)); },
     R"({"model":"m","input":"x"})",
     R"({"model":"m","instructions":"s","input":[{"role":"user","content":[{"type":"input_text","text":"x"},
         {"type":"input_image","image_url":"https://x/y","detail":"low"},{"type":"input_file","file_data":
         "data:text/plain;base64,YQ=="}]},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"t"}],
         "encrypted_content":"{\"provider\":\"gemini\",\"type\":\"thought_signature\",\"data\":\"YQ==\",\"index\":0}"},
         {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
         {"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"r"}]}],
         "text":{"format":{"type":"json_schema","name":"n","schema":{}},"verbosity":"low"},
         "reasoning":{"effort":"high","summary":"auto"},"tools":[{"type":"function","name":"f","parameters":{}}],
         "tool_choice":{"type":"function","name":"f"},"metadata":{"a":"b"},"include":["reasoning.encrypted_content"],
         "stream":true,"background":false,"store":false,"max_output_tokens":9,"temperature":1,"truncation":"auto"})"},
    {"messages",
     [](const Value& body, const std::string& kind) {
       return plain(parse_anthropic_request(json::dump(body), 64, {}, [&](const std::string&) { return kind; }));
     },
     R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]})",
     R"({"model":"m","max_tokens":9,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
         "messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image","source":{"type":"base64",
         "media_type":"image/png","data":"YQ=="}},{"type":"document","title":"t","context":"","citations":
         {"enabled":false},"source":{"type":"text","media_type":"text/plain","data":"d"}}]},
         {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},
         {"type":"redacted_thinking","data":"YQ=="},{"type":"tool_use","id":"c","name":"f","input":{"a":1}}]},
         {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","is_error":true,"content":
         [{"type":"text","text":"r"}]}]}],"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},
         "strict":true}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
         "thinking":{"type":"enabled","budget_tokens":2000},"output_config":{"format":{"type":"json_schema","schema":{}},
         "effort":"low"},"metadata":{"user_id":"u"},"stop_sequences":["a"],"stream":true,"top_k":3})"},
    {"gemini",
     [](const Value& body, const std::string& kind) { return read_gemini_request(body, json::dump(body), "m", kind); },
     R"({"contents":[{"parts":[{"text":"x"}]}]})",
     R"({"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"x"},{"inlineData":
         {"mimeType":"image/png","data":"YQ==","displayName":"n"}},{"fileData":{"mimeType":"a/b","fileUri":"https://x"}}]},
         {"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"YQ=="},
         {"functionCall":{"id":"c","name":"f","args":{}},"thoughtSignature":"YQ=="}]},
         {"role":"user","parts":[{"functionResponse":{"id":"c","name":"f","response":{"a":1},"parts":[]}}]}],
         "tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":
         {"a":{"type":"STRING","nullable":true,"enum":["a"]}},"minItems":"1"}}]}],"toolConfig":{"functionCallingConfig":
         {"mode":"ANY","allowedFunctionNames":["f"]}},"generationConfig":{"temperature":1,"topK":40.0,"candidateCount":1,
         "responseMimeType":"application/json","responseSchema":{"type":"OBJECT"},"thinkingConfig":{"thinkingBudget":99},
         "stopSequences":["a"],"responseModalities":["TEXT"]}})"},
    {"ui",
     [](const Value& body, const std::string& kind) {
       return plain(parse_ui_request(json::dump(body), 64, [&](const std::string&) { return kind; }));
     },
     R"({"messages":[{"role":"user","parts":[{"type":"text","text":"x"}]}]})",
     R"({"id":"c","model":"m","system":"s","trigger":"submit-message","messageId":"a","parameters":{"temperature":1},
         "messages":[{"id":"a","role":"user","parts":[{"type":"text","text":"x","providerMetadata":{"tokenrelay":
         {"provider":"gemini","type":"thought_signature","data":"YQ=="}}},{"type":"file","mediaType":"image/png",
         "filename":"n","url":"data:image/png;base64,YQ=="}]},{"id":"b","role":"assistant","parts":[{"type":"step-start"},
         {"type":"reasoning","text":"t","providerMetadata":{"tokenrelay":{"provider":"anthropic","type":"signature",
         "data":"s"}}},{"type":"tool-f","toolCallId":"c","state":"output-available","input":{"a":1},"output":{"b":2},
         "approval":{"approved":true,"reason":"r"},"callProviderMetadata":{}},{"type":"data-x","data":{}}]}]})"},
};

Value parsed(const std::string& text) {
  return json::parse(text).value();
}

// The paths of all values in a document.
void add_paths(const Value& value, const Value::json_pointer& here, std::vector<Value::json_pointer>& out) {
  if (!value.is_structured()) return;
  size_t number = 0;
  for (const auto& [name, inner] : value.items()) {
    const auto path = value.is_array() ? here / number++ : here / name;
    out.push_back(path);
    add_paths(inner, path, out);
  }
}

struct Blank {
  std::string surface, members;
};

// What is left out with an empty or default value by nobody's upstream: each is sent by some client.
const std::vector<Blank> blanks = {
    {"chat",
     R"({"audio":{},"modalities":["text"],"top_logprobs":0,"logprobs":false,"service_tier":"auto","functions":[]})"},
    {"chat",
     R"({"user":"","function_call":"auto","service_tier":"default","metadata":{},"tools":[],"tool_choice":"auto"})"},
    {"chat",
     R"({"stop":[],"stop_sequences":[],"n":1,"store":true,"seed":null,"logit_bias":{},"prediction":null,"modalities":[]})"},
    {"chat",
     R"({"stop":"","tool_choice":"none","parallel_tool_calls":true,"verbosity":"medium","web_search_options":{}})"},
    {"chat",
     R"({"prompt":"","input":null,"contents":[],"background":false,"model":null,"stream":null,"stream_options":null})"},
    {"chat",
     R"({"frequency_penalty":0,"presence_penalty":0.0,"response_format":{"type":"text"},"reasoning_effort":null})"},
    {"chat",
     R"({"prompt_cache_key":"","safety_identifier":"","x_gemini":{},"x_anthropic":{},"x_responses":{},"max_tokens":null})"},
    {"responses", R"({"truncation":"auto","service_tier":"default","user":"","metadata":{},"include":[],"tools":[]})"},
    {"responses",
     R"({"truncation":"disabled","service_tier":"auto","tool_choice":"auto","text":{"format":{"type":"text"}}})"},
    {"responses",
     R"({"text":{"format":{},"verbosity":"medium"},"reasoning":{"effort":null,"summary":null,"mode":""}})"},
    {"responses",
     R"({"previous_response_id":"","conversation":null,"prompt":{},"context_management":[],"top_logprobs":0})"},
    {"responses", R"({"max_tool_calls":null,"instructions":"","model":"","parallel_tool_calls":true,"store":true})"},
    {"responses",
     R"({"text":{},"reasoning":{},"moderation":null,"prompt_cache_key":"","safety_identifier":"","stream":null})"},
    {"messages",
     R"({"mcp_servers":[],"context_management":{"edits":[]},"container":null,"service_tier":"auto","tools":[]})"},
    {"messages",
     R"({"metadata":{},"stop_sequences":[],"system":"","thinking":{"type":"disabled"},"output_config":{}})"},
    {"messages",
     R"({"metadata":{"user_id":""},"system":[],"tool_choice":{},"betas":[],"inference_geo":"","thinking":{}})"},
    {"messages", R"({"output_config":{"effort":null,"format":null,"task_budget":null},"model":"","stream":false})"},
    {"messages", R"({"tools":[{"name":"f","input_schema":{"type":"object"},"defer_loading":false,"input_examples":[],
                     "allowed_callers":["direct"],"cache_control":null}],"cache_control":null,"tool_choice":{"type":"auto"}})"},
    {"gemini", R"({"safetySettings":[],"cachedContent":"","labels":{},"toolConfig":{},"tools":[],"model":""})"},
    {"gemini",
     R"({"generationConfig":{"responseModalities":[],"candidateCount":1,"thinkingConfig":{},"speechConfig":{}}})"},
    {"gemini",
     R"({"generationConfig":{"responseModalities":["TEXT"],"responseMimeType":"","responseSchema":{},"logprobs":0,
                   "responseLogprobs":false,"stopSequences":[],"mediaResolution":"MEDIA_RESOLUTION_UNSPECIFIED",
                   "enableEnhancedCivicAnswers":false,"thinkingConfig":{"thinkingLevel":"THINKING_LEVEL_UNSPECIFIED"}}})"},
    {"gemini", R"({"tool_config":{"function_calling_config":{"mode":"MODE_UNSPECIFIED","allowedFunctionNames":[],
                   "streamFunctionCallArguments":false},"retrievalConfig":{}},"system_instruction":{"parts":[{}]}})"},
    {"gemini",
     R"({"tools":[{"functionDeclarations":[{"name":"f","behavior":"BLOCKING","response":{},"parameters":{}}]},{}]})"},
    {"gemini",
     R"({"contents":[{"parts":[{"text":"x","inlineData":{},"videoMetadata":{},"thought":false}]},{"parts":null}],
                   "systemInstruction":"","store":false,"serviceTier":"SERVICE_TIER_UNSPECIFIED"})"},
    {"ui", R"({"model":null,"id":null,"system":"","parameters":{},"trigger":null,"messageId":null,"metadata":{}})"},
};

}  // namespace

TEST_CASE("empty and default values are no reason to refuse a request, whatever its upstream", "[values]") {
  for (const auto& [name, members] : blanks) {
    const auto surface =
        std::find_if(surfaces.begin(), surfaces.end(), [&](const Surface& one) { return one.name == name; });
    REQUIRE(surface != surfaces.end());
    for (const std::string& kind : kinds) {
      INFO(name << " for " << kind << " with " << members);
      Value body = parsed(surface->small);
      body.update(parsed(members));
      CHECK(why_not(surface->read(body, kind), kind) == "");
    }
  }
}

TEST_CASE("what is asked for and not supported is still refused by its name", "[values]") {
  const std::vector<std::tuple<std::string, std::string, std::string>> asked = {
      {"chat", R"({"audio":{"voice":"v"}})", "audio"},
      {"chat", R"({"modalities":["text","audio"]})", "modalities"},
      {"chat", R"({"prompt":"x"})", "prompt"},
      {"responses", R"({"service_tier":"priority"})", "parameters.service_tier"},
      {"responses", R"({"max_tool_calls":3})", "max_tool_calls"},
      {"messages", R"({"mcp_servers":[{"type":"url"}]})", "parameters.x_anthropic"},
      {"messages", R"({"context_management":{"edits":[{"type":"clear"}]}})", "parameters.x_anthropic"},
      {"gemini", R"({"safetySettings":[{"category":"c"}]})", "safetySettings"},
      {"gemini", R"({"tools":[{"googleSearch":{}}]})", "tools[0].googleSearch"},
      {"gemini", R"({"generationConfig":{"responseModalities":["AUDIO"]}})", "generationConfig.responseModalities"},
  };
  for (const auto& [name, members, field] : asked) {
    const auto surface =
        std::find_if(surfaces.begin(), surfaces.end(), [&](const Surface& one) { return one.name == name; });
    const std::string kind = name == "gemini" ? "anthropic" : name == "messages" ? "gemini" : "anthropic";
    INFO(name << " with " << members);
    Value body = parsed(surface->small);
    body.update(parsed(members));
    CHECK(why_not(surface->read(body, kind), kind).starts_with(field));
  }
}

TEST_CASE("a value of another type anywhere in a request is refused or ignored, and throws nothing", "[values]") {
  const std::vector<Value> others = {nullptr,
                                     true,
                                     0,
                                     -1,
                                     1.5,
                                     18446744073709551615ull,
                                     "",
                                     "x",
                                     Value::array(),
                                     Value::object(),
                                     {{"a", 1}},
                                     Value::array({1}),
                                     Value::array({nullptr}),
                                     Value::array({Value::object()}),
                                     Value::array({Value::array()})};
  for (const Surface& surface : surfaces) {
    const Value full = parsed(surface.full);
    std::vector<Value::json_pointer> paths;
    add_paths(full, Value::json_pointer(), paths);
    for (const std::string& kind : kinds) {
      for (const auto& path : paths) {
        for (const Value& other : others) {
          Value body = full;
          body[path] = other;
          INFO(surface.name << " for " << kind << ": " << path.to_string() << " = " << other.dump());
          REQUIRE_NOTHROW(why_not(surface.read(body, kind), kind));
        }
      }
    }
  }
}

TEST_CASE("document citations that are on are refused, whatever their type", "[values]") {
  const auto with = [](const std::string& citations) {
    const std::string body =
        R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","citations":)" +
        citations + R"(,"source":{"type":"text","media_type":"text/plain","data":"d"}}]}]})";
    const auto read = parse_anthropic_request(body, 64, {}, [](const std::string&) { return "openai"; });
    return read ? std::string() : read.error().param;
  };
  for (const char* on : {R"({"enabled":"yes"})", R"({"enabled":true})", R"({"enabled":1})", "[1]", "\"on\""}) {
    CHECK(with(on) == "messages[0].content[0].citations");
  }
  for (const char* off : {R"({"enabled":false})", R"({"enabled":null})", "{}", "null"}) CHECK(with(off) == "");
}

}  // namespace tokenrelay::surface
