"""A test without requests: those are made by the worker. Prints the port of the master."""

from locust import User, events, task


class Visitor(User):
    @task
    def nothing(self):
        pass


@events.init.add_listener
def print_port(environment, **_):
    print(environment.runner.server.port, flush=True)
