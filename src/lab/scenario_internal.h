// One run of a scenario: its servers (scenario_servers), its links (scenario_links), and what comes
// of them beside what is expected (scenario_judge).

#ifndef EKUBENCH_LAB_SCENARIO_INTERNAL_H
#define EKUBENCH_LAB_SCENARIO_INTERNAL_H

#include "ekubench/base/err.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/scenario.h"
#include "ekubench/lab/site.h"
#include "ekubench/peer/crew.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Of a server's start, and of a connection.
#define EKB_SCENARIO_DEADLINE_NS (5 * EKB_NS_PER_S)
// How long one waits for what the other end has to say, and how often it looks.
#define EKB_SCENARIO_SETTLE_NS (2 * EKB_NS_PER_S)
#define EKB_SCENARIO_LOOK_NS (2 * EKB_NS_PER_MS)

// What runs of one node: a listener for each link that comes to it.
struct ekb_scenario_host {
    struct ekb_server_options server;
    struct ekb_listener listeners[EKB_DEPLOYMENT_MAX_LINKS];
    uint8_t expect[EKB_DEPLOYMENT_MAX_LINKS];
    struct ekb_crew crew;
    struct ekb_worker worker;
    struct ekb_event_queue *events;
};

struct ekb_scenario_runner {
    const struct ekb_deployment *deployment;
    const struct ekb_scenario_terms *terms;
    struct ekb_scenario_run *out;
    struct ekb_site *site;
    struct ekb_scenario_host hosts[EKB_DEPLOYMENT_MAX_NODES];
    // By link: its listener's place in the host.
    size_t listener_of[EKB_DEPLOYMENT_MAX_LINKS];
};

// ekb_scenario_policy makes a policy that verifies what `demand` says; `name` is what the peer is
// expected to be called. EKB_USAGE if that is no name.
EKB_NODISCARD enum ekb_err ekb_scenario_policy(struct ekb_policy *out_policy,
                                               const struct ekb_link_demand *demand,
                                               const char *name, struct ekb_fail *reterr_fail);

// ekb_scenario_listener returns what the responder of `link` verifies of its initiator, which is
// what `demand` says; EKB_USAGE if the initiator's host is no name.
EKB_NODISCARD enum ekb_err ekb_scenario_listener(struct ekb_policy *out_policy,
                                                 const struct ekb_deployment *deployment,
                                                 const struct ekb_deployment_link *link,
                                                 const struct ekb_link_demand *demand,
                                                 struct ekb_fail *reterr_fail);

// ekb_scenario_initiator says how the initiator of `link` goes about it: all but what it presents,
// which may be nothing. It borrows from the site, and from itself: it must stay where it is.
// EKB_USAGE if what the responder is known by is no name.
EKB_NODISCARD enum ekb_err ekb_scenario_initiator(struct ekb_plan_link *out_initiator,
                                                  const struct ekb_site *site,
                                                  const struct ekb_deployment *deployment,
                                                  const struct ekb_deployment_link *link,
                                                  struct ekb_fail *reterr_fail);

// ekb_scenario_name_node adds to an error that it is of `node`, and returns it.
EKB_NODISCARD enum ekb_err ekb_scenario_name_node(const struct ekb_scenario_runner *runner,
                                                  size_t node, enum ekb_err err,
                                                  struct ekb_fail *reterr_fail);

// ekb_scenario_is_connection is false for what one node checks of another without connecting.
bool ekb_scenario_is_connection(const struct ekb_deployment_link *link);

// ekb_scenario_start starts the servers of all nodes to which links come, and waits until they
// listen; ekb_scenario_stop stops those that run.
EKB_NODISCARD enum ekb_err ekb_scenario_start(struct ekb_scenario_runner *runner,
                                              struct ekb_fail *reterr_fail);
void ekb_scenario_stop(struct ekb_scenario_runner *runner);

// ekb_scenario_try makes the connection of link `index`, or the check that it is, and fills what
// came of it: all but what is expected. What fails as it may is no error.
EKB_NODISCARD enum ekb_err ekb_scenario_try(struct ekb_scenario_runner *runner, size_t index,
                                            struct ekb_fail *reterr_fail);

// ekb_scenario_judge puts what came of link `index` beside what is expected, and
// ekb_scenario_conclude does so with MRA, when all links have been tried.
void ekb_scenario_judge(struct ekb_scenario_runner *runner, size_t index);
void ekb_scenario_conclude(struct ekb_scenario_runner *runner);

#endif
