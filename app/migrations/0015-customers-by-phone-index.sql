-- A number from its beginning: the trigrams of 0812 are in every second number, and to intersect their lists took 2 ms (100,000 customers).
create index customers_by_phone on customers (phone_digits);
