#include "service/client/tls.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <new>

namespace tokenrelay::client {
namespace {

constexpr size_t max_tickets = 64;
constexpr unsigned char alpn[] = "\x08http/1.1";

bool is_address(const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

TlsClient::TlsClient() : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* const context = context_.get();
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_read_ahead(context, 1);  // without it, a record costs two reads
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_verify_paths(context);  // if there are none, no server is trusted
  SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsClient::on_ticket);
  SSL_CTX_set_app_data(context, this);
}

TlsSession TlsClient::open(int descriptor, const Origin& origin) {
  TlsSession session(SSL_new(context_.get()));
  if (!session || SSL_set_fd(session.get(), descriptor) != 1) return nullptr;
  SSL_set_app_data(session.get(), const_cast<Origin*>(&origin));
  SSL_set_hostflags(session.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (SSL_set1_host(session.get(), origin.host.c_str()) != 1) return nullptr;  // takes an address, too
  if (!is_address(origin.host) && SSL_set_tlsext_host_name(session.get(), origin.host.c_str()) != 1) return nullptr;
  const auto ticket = tickets_.find(origin.key());
  if (ticket != tickets_.end()) SSL_set_session(session.get(), ticket->second.get());
  SSL_set_connect_state(session.get());
  return session;
}

// Returns 1: the reference to the ticket is kept.
int TlsClient::on_ticket(SSL* session, SSL_SESSION* ticket) {
  TlsClient& client = *static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
  const std::string key = static_cast<const Origin*>(SSL_get_app_data(session))->key();
  if (client.tickets_.size() >= max_tickets && !client.tickets_.count(key)) client.tickets_.clear();
  client.tickets_[key].reset(ticket);
  return 1;
}

}  // namespace tokenrelay::client
