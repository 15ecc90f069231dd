// What Swift needs of the OpenSSL that rabbitmq-c has beneath it: its headers.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
