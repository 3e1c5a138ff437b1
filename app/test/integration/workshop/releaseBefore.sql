INSERT INTO customers (name, phone, email, address) VALUES ('Ayu', '08123', NULL, NULL);

INSERT INTO vehicles (customer_id, plate, make, model, year, vin)
VALUES (2, 'D 9 Q', 'Honda', 'Brio', 2020, NULL);

INSERT INTO services (vehicle_id, kind, description, status, price, scheduled_at, completed_at, notes)
VALUES (2, 'Rem', NULL, 'scheduled', 5000, now(), NULL, NULL);
