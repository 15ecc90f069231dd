// What Swift needs of rabbitmq-c, which only encodes and decodes: its headers, under the old and the new names.
// Its sockets are for the tests, which compare our frames with those that it sends.
#pragma once

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#endif
