import sys

import pycom

context = pycom.ProxyContext(nameserver=sys.argv[1])

# A component remembers its session, so two of them have two carts.
anna, ben = context.locate("com.example.cart"), context.locate("com.example.cart")

anna.add("apple")
ben.add("pear", count=5)
anna.add("apple", count=2)

print("Anna buys", anna.check_out())
print("Ben buys", ben.check_out())

try:
    ben.add("apple")
except pycom.SessionExpired:
    print("Ben's cart is gone")
