import sys

import pycom

context = pycom.ProxyContext(nameserver=sys.argv[1])


# On this side a hook may be a plain function as well.
def show_extensions(component, response):
    print("The service adds", response.extensions)


with context.locate("com.example.greeter") as greeter:
    context.posthooks.append(show_extensions)
    print(greeter.greet("World"))
