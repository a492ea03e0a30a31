"""A test without requests: those are made by the worker. Prints the port of the master, and the number of users at the end."""

from locust import User, events, task


class Visitor(User):
    @task
    def nothing(self):
        pass


@events.init.add_listener
def print_port(environment, **_):
    print(environment.runner.server.port, flush=True)


@events.test_stopping.add_listener
def print_users(environment, **_):
    print("users", sum(environment.runner.reported_user_classes_count.values()), flush=True)
