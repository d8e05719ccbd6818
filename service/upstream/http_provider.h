// HttpProvider: a provider whose calls are HTTP requests. It holds what the calls share, and starts them.
//
// A dialect's call derives from SseCall and has `Shared` (HttpShared or derived from it), `kind`, refuses(), and a
// constructor that takes (std::shared_ptr<Shared>, ModelRequest, CallHandler&) and sends the request.
#pragma once

#include <memory>
#include <utility>

#include "service/client/http_client.h"
#include "service/upstream/providers.h"

namespace tokenrelay::upstream {

struct HttpShared {
  std::shared_ptr<client::HttpClient> client;
  ProviderOptions options;
};

template <class HttpCall>
class HttpProvider : public Provider {
 public:
  HttpProvider(std::shared_ptr<client::HttpClient> client, ProviderOptions options)
      : shared_(std::make_shared<typename HttpCall::Shared>()) {
    shared_->client = std::move(client);
    shared_->options = std::move(options);
  }

  std::string_view kind() const override { return HttpCall::kind; }
  std::optional<UnsupportedField> refuses(const ModelRequest& request) const override {
    return HttpCall::refuses(request);
  }
  std::unique_ptr<Call> start(ModelRequest request, CallHandler& handler) override {
    return std::make_unique<HttpCall>(shared_, std::move(request), handler);
  }

 protected:
  const std::shared_ptr<typename HttpCall::Shared> shared_;
};

}  // namespace tokenrelay::upstream
