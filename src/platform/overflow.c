/* SPDX-License-Identifier: MIT */
/* Stack overflow: says which task ran out of stack before the process dies. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/overflow.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Room for a signal frame with every vector register, and for a traceback's buffers. */
#define ALTERNATE ((size_t)128 << 10)

static _Atomic(overflow_report_fn *) reporter;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed;
static struct sigaction previous_segv, previous_bus;

static __thread char *alternate;
static __thread stack_t previous_stack;

void overflow_print(const char *text)
{
	size_t left = strlen(text);
	ssize_t done;

	while (left) {
		done = write(STDERR_FILENO, text, left);
		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			text += done;
			left -= (size_t)done;
		}
	}
}

/* Lets the default action happen: by the faulting instruction once more, or by a signal once more. */
static void die(int signal, bool fault)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(signal, &action, NULL);
	if (!fault)
		raise(signal);
}

static void chain(int signal, siginfo_t *info, void *context, bool fault)
{
	const struct sigaction *previous = signal == SIGBUS ? &previous_bus : &previous_segv;

	if (previous->sa_flags & SA_SIGINFO)
		previous->sa_sigaction(signal, info, context);
	else if (previous->sa_handler == SIG_DFL || (previous->sa_handler == SIG_IGN && fault))
		die(signal, fault);
	else if (previous->sa_handler != SIG_IGN)
		previous->sa_handler(signal);
}

static void handle(int signal, siginfo_t *info, void *context)
{
	overflow_report_fn *report = atomic_load(&reporter);
	bool fault = info->si_code > 0; /* not from kill(), which leaves si_addr without meaning */
	int saved = errno;

	if (fault && report && report(info->si_addr))
		die(signal, fault);
	else
		chain(signal, info, context, fault);
	errno = saved;
}

static int install(void)
{
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_ONSTACK | SA_SIGINFO};
	int error = 0;

	sigemptyset(&action.sa_mask);
	pthread_mutex_lock(&lock);
	if (!installed) {
		if (sigaction(SIGSEGV, &action, &previous_segv) || sigaction(SIGBUS, &action, &previous_bus))
			error = -errno;
		else
			installed = true;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

int overflow_guard_thread(overflow_report_fn *report)
{
	int error;
	char *memory;
	stack_t stack = {.ss_size = ALTERNATE};

	atomic_store(&reporter, report);
	if (!alternate) {
		memory = mmap(NULL, ALTERNATE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
		if (memory == MAP_FAILED)
			return -errno;
		stack.ss_sp = memory;
		if (sigaltstack(&stack, &previous_stack)) {
			error = -errno;
			munmap(memory, ALTERNATE);
			return error;
		}
		alternate = memory;
	}
	return install();
}

void overflow_unguard_thread(void)
{
	if (!alternate)
		return;
	if (sigaltstack(&previous_stack, NULL))
		return; /* still running on it */
	munmap(alternate, ALTERNATE);
	alternate = NULL;
}
