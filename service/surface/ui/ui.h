// The AI SDK's UI messages, as useChat speaks them (CLIENTS.md, UI messages): POST /api/chat,
// GET /api/chat/{chatId}/stream, POST /api/chat/{chatId}/stop.
//
// A closed connection is only a disconnect here: the answer goes on, and the stream route replays it whole from its
// message's start. The stop route is what cancels. It stops everything that runs for the chat.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/http/router.h"
#include "service/surface/answer.h"
#include "service/surface/ui/chats.h"

namespace tokenrelay::surface {

// What runs for which chat; a stream taken up again after a restart is given to its adopt().
std::shared_ptr<Chats> add_ui_routes(http::Router& router, api::Api& api);

struct UiRequest : SurfaceRequest {
  std::string chat;  // "": the answer cannot be resumed or stopped by chat
};

// useChat sends whatever the page adds to the body, so members not known here are ignored; `model`, `system` (text) and
// `parameters` (an object, by the neutral request's names) are read.
// `provider_of` names the kind of upstream that a model goes to: what a provider wants back is told to that kind only.
using ProviderOf = std::function<std::string(const std::string& model)>;
tl::expected<UiRequest, Error> parse_ui_request(std::string_view body, int max_depth, const ProviderOf& provider_of);

// "parameters.stop" stays what it is here.
std::string ui_field(const std::string& neutral_field);

// UIMessages as the neutral request's (upstream/prompt.h). Left out: what is only shown (data-*, source-*), reasoning
// that this kind of upstream did not sign, and a tool call whose input was never finished. A call that nobody answered
// is told as answered with that fact, because no provider takes a call without a result.
tl::expected<json::Value, Error> read_ui_messages(const json::Value& messages, std::string_view upstream_kind);

// The message's parts, then `[DONE]`. The message is msg_X of the stream strm_X, or the client's own where the answer
// goes on with it (after a tool's output). A client that resumes begins an empty message: there, always msg_X.
std::unique_ptr<Encoder> make_ui_encoder(const relay::Stream& stream, bool resumed);

}  // namespace tokenrelay::surface
