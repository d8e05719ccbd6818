// The AI SDK's UI messages, as useChat speaks them (CLIENTS.md, UI messages): POST /api/chat,
// GET /api/chat/{chatId}/stream, POST /api/chat/{chatId}/stop.
//
// A closed connection is only a disconnect here: the answer goes on, and the stream route replays it whole from its
// message's start. The stop route is what cancels. It stops everything that runs for the chat.
#pragma once

#include <memory>

#include "service/api/api.h"
#include "service/http/router.h"
#include "service/surface/ui/chats.h"

namespace tokenrelay::surface {

// What runs for which chat; a stream taken up again after a restart is given to its adopt().
std::shared_ptr<Chats> add_ui_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
