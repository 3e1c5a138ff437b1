-- The mechanic of a job, the odometer in km when the car came, and the time at which its customer is reminded of the next service.
alter table services add column mechanic text, add column odometer integer, add column remind_at timestamptz(3);
