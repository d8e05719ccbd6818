// The AI SDK's UI messages, as useChat speaks them (CLIENTS.md, UI messages): POST /api/chat,
// GET /api/chat/{chatId}/stream, POST /api/chat/{chatId}/stop.
//
// Here a closed connection is only a disconnect: the answer goes on, and the stream route replays it from the start of
// its message. Only the stop route cancels: it stops everything that runs for the chat.
#pragma once

#include <memory>

#include "service/api/api.h"
#include "service/http/router.h"
#include "service/surface/ui/chats.h"

namespace tokenrelay::surface {

// Returns the chats; streams that continue after a restart must be given to their adopt().
std::shared_ptr<Chats> add_ui_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
