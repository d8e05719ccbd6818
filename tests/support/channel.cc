#include "tests/support/channel.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <stdexcept>

namespace tokenrelay::support {
namespace {

TlsContext context_of(const SSL_METHOD* method) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  TlsContext context(SSL_CTX_new(method), SSL_CTX_free);
  if (!context) throw std::runtime_error("no TLS context");
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace

TlsContext tls_server(const Certificate& certificate) {
  TlsContext context = context_of(TLS_server_method());
  BIO* const chain = BIO_new_mem_buf(certificate.certificate.data(), static_cast<int>(certificate.certificate.size()));
  BIO* const secret = BIO_new_mem_buf(certificate.key.data(), static_cast<int>(certificate.key.size()));
  X509* const shown = PEM_read_bio_X509(chain, nullptr, nullptr, nullptr);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(secret, nullptr, nullptr, nullptr);
  const bool taken =
      SSL_CTX_use_certificate(context.get(), shown) == 1 && SSL_CTX_use_PrivateKey(context.get(), key) == 1;
  X509_free(shown);
  EVP_PKEY_free(key);
  BIO_free(chain);
  BIO_free(secret);
  if (!taken) throw std::runtime_error("not a certificate with its key");
  return context;
}

TlsContext tls_client() {
  return context_of(TLS_client_method());
}

Channel::Channel(int fd, const TlsContext& context) : fd_(fd) {
  if (!context) return;
  ssl_.reset(SSL_new(context.get()));
  if (!ssl_ || SSL_set_fd(ssl_.get(), fd) != 1) throw std::runtime_error("no TLS session");
  SSL_is_server(ssl_.get()) ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
}

ssize_t Channel::answer(int result) {
  if (result > 0) return result;
  const int error = SSL_get_error(ssl_.get(), result);
  wants_out_ = error == SSL_ERROR_WANT_WRITE;
  ERR_clear_error();
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
  return -1;
}

ssize_t Channel::read(char* bytes, size_t size) {
  if (!ssl_) return recv(fd_, bytes, size, 0);
  return answer(SSL_read(ssl_.get(), bytes, static_cast<int>(std::min<size_t>(size, INT_MAX))));
}

ssize_t Channel::write(std::string_view bytes) {
  wants_out_ = false;
  if (ssl_)
    return answer(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX))));
  const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  wants_out_ = count < 0 ? errno == EAGAIN : static_cast<size_t>(count) < bytes.size();
  return count;
}

}  // namespace tokenrelay::support
