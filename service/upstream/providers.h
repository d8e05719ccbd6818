// The providers, one for each kind of upstream.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/client/http_client.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::transport {
class Loop;
}

namespace tokenrelay::upstream {

struct ProviderOptions {
  std::string_view kind = {};                                // set by the provider
  std::string base_url;                                      // in the form that the provider's SDKs take
  std::string api_key;                                       // "" sends no credential; never logged
  std::vector<std::pair<std::string, std::string>> headers;  // extra headers, from the configuration
  client::Timeouts timeouts;
  size_t max_event_bytes = 8u << 20;
  bool background = false;  // openai-responses: ask for answers that outlive a connection, and resume them
  // demo only:
  int64_t demo_delta_ms = 35;  // a human pace
};

// `client` is shared by all providers of a shard.
std::unique_ptr<Provider> make_openai_chat(std::shared_ptr<client::HttpClient> client, ProviderOptions options);
std::unique_ptr<Provider> make_openai_responses(std::shared_ptr<client::HttpClient> client, ProviderOptions options);
std::unique_ptr<Provider> make_anthropic(std::shared_ptr<client::HttpClient> client, ProviderOptions options);
std::unique_ptr<Provider> make_gemini(std::shared_ptr<client::HttpClient> client, ProviderOptions options);

// A built-in model that needs no network and no key: readable text about the last user message in about 200 pieces, one
// every demo_delta_ms; the same prompt gets the same answer. Usage counts words in and pieces out. It honours
// max_tokens and max_completion_tokens (finish_reason is then `length`). Words in the prompt ask for more: #reason
// (reasoning first), #tool (a tool call in four pieces at the end), #fail (an error after ten pieces of text), #long=N
// (N pieces of text, at most 100,000).
std::unique_ptr<Provider> make_demo(transport::Loop& loop, const ProviderOptions& options);

}  // namespace tokenrelay::upstream
